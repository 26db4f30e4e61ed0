"""`booper keys`: makes keys that no provider hands out, and changes those of sessions."""

from __future__ import annotations

import sys
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import App, Parameter

from booper.cli.door import Running, ask, print_json

app = App(name="keys", help="Make keys that no provider hands out; change those of sessions.")

SIGNING = "/api/admin/signing_keys"
HERE = Running()


@app.command
def vapid(*, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """Make a VAPID key pair for Web Push; nothing is kept.

    The private key belongs into an instance's `private_key`. The public key is what a web app
    gives to `pushManager.subscribe` as its `applicationServerKey`; a browser's subscription works
    with this pair only.

    Parameters
    ----------
    as_json
        Both in one line of JSON, for programs.
    """
    from booper.providers import vapid as own

    pair = own.generate()
    if as_json:
        import msgspec

        said = {"private_key": pair.private_key.reveal(), "public_key": pair.public_key}
        sys.stdout.write(msgspec.json.encode(said).decode() + "\n")
        return
    sys.stdout.write(pair.private_key.reveal())
    sys.stdout.write(f"\napplicationServerKey: {pair.public_key}\n")


@app.command
def rotate(*, door: Running = HERE) -> None:
    """Sign sessions with a new key from now on. Nobody is logged out."""
    _show(door, ask(door, "POST", SIGNING))


@app.command
def signing(*, door: Running = HERE) -> None:
    """List what sessions are signed with, oldest first."""
    _show(door, ask(door, "GET", SIGNING))


@app.command
def retire(key_id: str, *, door: Running = HERE) -> None:
    """Believe an older signing key no longer; what it signed has to be refreshed.

    Parameters
    ----------
    key_id
        Which, as `booper keys signing` lists it; not the newest.
    """
    ask(door, "DELETE", f"{SIGNING}/{quote(key_id, safe='')}")
    _show(door, ask(door, "GET", SIGNING))


def _show(door: Running, found: dict[str, Any]) -> None:
    if door.json:
        print_json(found)
        return
    *older, newest = found["keys"]
    for one in older:
        print(f"{one}  believed")
    print(f"{newest}  signs")

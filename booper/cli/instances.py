"""`booper instances`: a running Booper's provider instances, over its admin API."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from booper.cli.door import Door, ask, console, present, print_json, read

if TYPE_CHECKING:
    pass


app = App(name="instances", help="A running Booper's provider instances.")


_HERE = Door()
Settings = Annotated[list[str] | None, Parameter(name=["--set", "-s"], negative="")]


@app.command(name="list")
def list_(*, door: Door = _HERE) -> None:
    """All of them: what they should be, and how they are doing."""
    rows: list[dict[str, Any]] = []
    after = ""
    while True:
        page = ask(door, "GET", f"?limit=100&after={after}")
        rows += page["instances"]
        if (after := page.get("next", "")) == "":
            break
    if door.json:
        print_json({"instances": rows})
        return
    from rich.table import Table

    table = Table(
        "name", "provider", "state", "doing", "in flight", "generation", "change", "words"
    )
    for row in rows:
        standing = row["standing"] or {}
        words = row["rotation_words"] or standing.get("last_error", "")
        table.add_row(
            row["name"] + (" *" if row["default"] else ""),
            row["provider"],
            row["state"],
            standing.get("state", "–"),
            str(standing.get("in_flight", "–")),
            str(row["generation"]),
            row["rotation"] or "",
            words,
        )
    console().print(table)


@app.command
def show(name: str, *, door: Door = _HERE) -> None:
    """One of them, with its settings; credentials are not shown."""
    present(door, ask(door, "GET", f"/{name}"))


@app.command
def add(
    name: str,
    provider: str,
    *,
    settings: Settings = None,
    verify: Annotated[bool, Parameter(negative="")] = False,
    default: Annotated[bool, Parameter(negative="")] = False,
    door: Door = _HERE,
) -> None:
    """Make one, and start it.

    Parameters
    ----------
    name
        What it is called.
    provider
        apns, fcm, expo, ntfy or webpush.
    settings
        NAME=VALUE, as often as needed; NAME=@FILE takes the file's content.
    verify
        Ask the provider first whether the credential is good.
    default
        It sends for devices that name no instance.
    """
    body = {
        "name": name,
        "provider": provider,
        "settings": read(settings),
        "verify": verify,
        "default": default,
    }
    present(door, ask(door, "POST", "?wait=applied", body))


@app.command(name="set")
def set_(
    name: str,
    *,
    settings: Settings = None,
    verify: Annotated[bool, Parameter(negative="")] = False,
    canary: float = 1.0,
    door: Door = _HERE,
) -> None:
    """Change settings while it sends; the credential is swapped in without losing anything.

    Parameters
    ----------
    name
        Which one.
    settings
        NAME=VALUE, as often as needed; NAME=@FILE takes the file's content, NAME= takes it away.
    verify
        Ask the provider first whether the credential is good.
    canary
        The share of the batches that goes through the new settings until they have proved good.
    """
    body = {"settings": read(settings), "verify": verify, "canary": canary}
    present(door, ask(door, "PATCH", f"/{name}?wait=applied", body))


@app.command
def rotate(name: str, decision: str = "", *, settings: Settings = None, door: Door = _HERE) -> None:
    """Give it a new credential that the provider has said is good; or decide about a change.

    Parameters
    ----------
    name
        Which one.
    decision
        confirm, retry or undo a change that is under way or has failed.
    settings
        NAME=VALUE or NAME=@FILE of the new credential.
    """
    if decision:
        present(door, ask(door, "POST", f"/{name}/rotation/{decision}?wait=applied"))
    else:
        set_(name, settings=settings, verify=True, door=door)


@app.command
def start(name: str, *, door: Door = _HERE) -> None:
    """Run a stopped one."""
    _turn(door, name, "start")


@app.command
def stop(name: str, *, door: Door = _HERE) -> None:
    """Finish what is in flight, and release everything but the row."""
    _turn(door, name, "stop")


@app.command
def enable(name: str, *, door: Door = _HERE) -> None:
    """Take new sends again."""
    _turn(door, name, "enable")


@app.command
def disable(name: str, *, door: Door = _HERE) -> None:
    """Refuse new sends; what is queued waits."""
    _turn(door, name, "disable")


@app.command
def reconnect(name: str, *, door: Door = _HERE) -> None:
    """New connections; the old ones finish what they have in flight."""
    _turn(door, name, "reconnect")


@app.command
def prefer(name: str, *, door: Door = _HERE) -> None:
    """Have it send for devices that name no instance."""
    _turn(door, name, "prefer")


@app.command
def verify(name: str, *, door: Door = _HERE) -> None:
    """Ask the provider whether its credential is good; status 1 if not."""
    found = ask(door, "POST", f"/{name}/verify")
    present(door, found)
    sys.exit(0 if found["good"] else 1)


@app.command
def remove(name: str, *, door: Door = _HERE) -> None:
    """Delete it with its credential; the audit stays."""
    ask(door, "DELETE", f"/{name}")


@app.command
def push(
    name: str, device_token: str, *, title: str = "", body: str = "", door: Door = _HERE
) -> None:
    """Send one message to one device now; status 1 if it is not accepted."""
    message = {"device_token": device_token, "title": title, "body": body}
    found = ask(door, "POST", f"/{name}/push", message)
    present(door, found)
    sys.exit(0 if found["outcome"] == "accepted" else 1)


@app.command
def audit(name: str, *, limit: int = 50, door: Door = _HERE) -> None:
    """Every change, the newest first; also of one that was deleted."""
    found = ask(door, "GET", f"/{name}/audit?limit={limit}")
    if door.json:
        print_json(found)
        return
    from rich.table import Table

    table = Table("at", "who", "what", "version", "generation", "fingerprint", "detail")
    for line in found["audit"]:
        words = ("at", "who", "verb", "version", "generation", "fingerprint", "detail")
        table.add_row(*(str(line[word]) for word in words))
    console().print(table)


def _turn(door: Door, name: str, verb: str) -> None:
    present(door, ask(door, "POST", f"/{name}/{verb}?wait=applied"))

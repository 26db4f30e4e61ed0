"""`booper accounts`: who may use the dashboard. The first operator is made here.

Without `--url` it works on the database itself: with SQLite only while no Booper runs on it. With
`--url` it asks a running Booper, as an operator does.
"""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from booper.domain.errors import Invalid, Misconfigured, Refused

app = App(name="accounts", help="Who may use the dashboard.")

Config = Annotated[Path | None, Parameter(env_var="BOOPER_CONFIG")]
Url = Annotated[str | None, Parameter(env_var="BOOPER_URL")]
Key = Annotated[str | None, Parameter(env_var="BOOPER_ADMIN_KEY")]
Json = Annotated[bool, Parameter(name="--json", negative="")]


@app.command
def create(
    email: str,
    *,
    name: str = "",
    operator: Annotated[bool, Parameter(negative="")] = False,
    config: Config = None,
    url: Url = None,
    key: Key = None,
) -> None:
    """Make an account. Its password is asked for, or read from standard input.

    Parameters
    ----------
    email
        What they log in with.
    name
        What they are called.
    operator
        They may do everything under /api/admin.
    config
        The settings file, which names the database.
    url
        A running Booper to ask instead.
    key
        Its admin key; none is needed on the same machine while it has none.
    """
    role = "operator" if operator else "member"
    fields = {"email": email, "password": _password(), "name": name, "role": role}
    made = _asked(url, key, "POST", "", fields) if url else _here(config, "create", fields)
    sys.stdout.write(f"{made['role']} {made['email']} has the id {made['id']}\n")


@app.command(name="list")
def list_(
    *, config: Config = None, url: Url = None, key: Key = None, as_json: Json = False
) -> None:
    """List the accounts.

    Parameters
    ----------
    config
        The settings file, which names the database.
    url
        A running Booper to ask instead.
    key
        Its admin key.
    as_json
        One line of JSON, for programs.
    """
    found = _everybody(url, key) if url else _here(config, "every", {})
    if as_json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("e-mail", "name", "role", "since", "id")
    for one in found:
        table.add_row(*(one[field] for field in ("email", "name", "role", "created_at", "id")))
    Console().print(table)


@app.command
def password(email: str, *, config: Config = None, url: Url = None, key: Key = None) -> None:
    """Set an account's password; every session of it ends.

    Parameters
    ----------
    email
        Whose.
    config
        The settings file, which names the database.
    url
        A running Booper to ask instead.
    key
        Its admin key.
    """
    new = _password()
    if url:
        own = next((one for one in _everybody(url, key) if one["email"] == email.lower()), None)
        if own is None:
            raise Invalid(f"There is no account {email}.", code="unknown_account")
        _asked(url, key, "PUT", f"/{own['id']}/password", {"password": new})
    else:
        _here(config, "set_password", {"email": email, "password": new})
    sys.stdout.write(f"{email} has a new password; all sessions have ended\n")


def _password() -> str:
    """Typed twice by a person, or the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise Invalid("The two are not the same.", code="invalid_password")
    return first


def _here(config: Path | None, what: str, fields: dict[str, Any]) -> Any:
    """Do it on the database itself."""
    import trio

    from booper.cli import desk
    from booper.settings import load

    try:
        return trio.run(desk.run, load(config, os.environ), what, fields)
    except Misconfigured as error:
        if error.code != "database_in_use":
            raise
        raise Misconfigured(
            "A Booper runs on this database: give its address with --url.", code=error.code
        ) from None


def _everybody(url: str, key: str | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = _asked(url, key, "GET", f"?limit=100&cursor={cursor}")
        found += page["data"]
        cursor = page["next_cursor"] or ""
        if not cursor:
            return found


def _asked(
    url: str, key: str | None, method: str, path: str, body: dict[str, Any] | None = None
) -> Any:
    """What a running Booper answers; its problem as an error."""
    import httpx

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    whole = f"{url.rstrip('/')}/api/admin/accounts{path}"
    try:
        answer = httpx.request(method, whole, json=body, headers=headers, timeout=30)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Misconfigured(f"{url} does not answer: {error}.", code="no_answer") from None
    if answer.is_success:
        return answer.json() if answer.content else None
    try:
        found = answer.json()
        raise Refused(str(found["detail"]), code=str(found["code"]))
    except (ValueError, KeyError, TypeError):
        raise Misconfigured(
            f"{url} is no Booper: it answered {answer.status_code}.", code="no_answer"
        ) from None

"""Door: how the commands that speak to a running Booper find it, ask it, and show what it says."""

from __future__ import annotations

import json as json_lines
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Iterator


@Parameter(name="*")
@dataclass(frozen=True)
class Running:
    """Where a running Booper is, and how to show what it says."""

    url: Annotated[str, Parameter(env_var="BOOPER_URL")] = "http://127.0.0.1:8080"
    "The address of the running Booper."
    key: Annotated[str, Parameter(env_var="BOOPER_ADMIN_KEY")] = ""
    "The admin key; from a machine of its own, and without one set, none is needed."
    json: Annotated[bool, Parameter(negative="")] = False
    "Print the answer as JSON."

    @property
    def place(self) -> str:
        """What every path begins with."""
        return ""


@Parameter(name="*")
@dataclass(frozen=True)
class Door(Running):
    """The same, of somebody's instances."""

    app: str = ""
    "The id of the app whose instances are meant; the operator's own without it."

    @property
    def place(self) -> str:
        return f"/api/apps/{self.app}/instances" if self.app else "/api/admin/instances"


def read(given: list[str] | None) -> dict[str, Any]:
    """NAME=VALUE, NAME=@FILE and NAME= as settings."""
    found: dict[str, Any] = {}
    for text in given or []:
        name, sign, value = text.partition("=")
        if not sign:
            sys.exit(f"booper: {text!r} is not NAME=VALUE")
        if value.startswith("@"):
            try:
                value = Path(value[1:]).read_text("utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError):
                sys.exit(f"booper: {value[1:]} cannot be read")
        found[name] = value or None
    return found


def ask(door: Running, method: str, path: str, body: object = None) -> dict[str, Any]:
    """The answer; what Booper refuses, or does not answer at all, is one line and status 2."""
    import httpx

    headers = {"Authorization": f"Bearer {door.key}"} if door.key else {}
    with _trouble(door):
        answer = httpx.request(
            method, f"{door.url}{door.place}{path}", json=body, headers=headers, timeout=60.0
        )
        found: dict[str, Any] = answer.json() if answer.content else {}
    if answer.status_code >= 400:
        code = found.get("code", answer.status_code)
        print(f"booper: {found.get('detail', '')} [{code}]", file=sys.stderr)
        sys.exit(2)
    return found


@contextmanager
def _trouble(door: Running) -> Iterator[None]:
    import httpx

    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        print(f"booper: {door.url}: {error}", file=sys.stderr)
        sys.exit(2)


def present(door: Running, found: dict[str, Any]) -> None:
    """One thing, as a table or as JSON."""
    if door.json:
        print_json(found)
        return
    from rich.table import Table

    table = Table(show_header=False)
    for name, value in found.items():
        inner = value if isinstance(value, dict) else {"": value}
        for key, one in inner.items():
            shown = "" if one is None else str(one)
            table.add_row(" ".join(filter(None, (name, key))).replace("_", " "), shown)
    console().print(table)


def print_json(found: object) -> None:
    """For programs."""
    print(json_lines.dumps(found))


def console() -> Any:
    """Where tables go."""
    from rich.console import Console

    return Console(soft_wrap=False, markup=False, highlight=False)

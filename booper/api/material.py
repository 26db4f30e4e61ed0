"""Material: an instance's settings as a request brings them, made whole.

An operator may name a file or an environment variable of the server in place of a text (`x_file`,
`x_env`); what it holds now is taken and sealed. A tenant may not, nor say which authorities to
trust, which proxy to use, which server is Apple, or whose token resolver to use; its own ntfy
server is looked at by the guard now, and again whenever it is dialled.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import trio

from booper.domain.errors import Invalid
from booper.domain.wanted import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.ports import Guard

LIMIT = 65_536  # bytes of a file
_OURS = frozenset({"ca_file", "proxy", "url", "resolver"})
_THEIRS = frozenset({("ntfy", "url")})


async def gathered(
    settings: Mapping[str, Any], provider: str, tenant: str, guard: Guard
) -> dict[str, Any]:
    """The settings with files and variables read. Invalid: `operators_only_setting`,
    `unreadable_file`, `missing_variable`, `two_sources`; what the guard says of a URL."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        pointer = f"/settings/{name}"
        read = name != "ca_file" and name.endswith(("_file", "_env"))
        if tenant != OPERATOR:
            if (provider, name) in _THEIRS and isinstance(value, str):
                await guard.check(value, pointer)
            elif read or name in _OURS:
                raise Invalid(
                    f"Only an operator may set {name}.",
                    code="operators_only_setting",
                    pointer=pointer,
                )
        if not read or value is None:
            found[name] = value
            continue
        target, _, kind = name.rpartition("_")
        if target in settings:
            raise Invalid(f"Either {target} or {name}.", code="two_sources", pointer=pointer)
        if not isinstance(value, str):
            raise Invalid(f"{name} is a text.", code="invalid_settings", pointer=pointer)
        found[target] = await (_file if kind == "file" else _variable)(value, pointer)
    return found


async def _file(path: str, pointer: str) -> str:
    """A small regular file of text; in a thread, because it may lie on a network."""
    try:
        return await trio.to_thread.run_sync(_read, path)
    except (OSError, ValueError):
        raise Invalid(
            "The server cannot read this file.", code="unreadable_file", pointer=pointer
        ) from None


def _read(path: str) -> str:
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(file, "rb") as opened:  # noqa: PTH123 - it is open already
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise ValueError("not a file")
        data = opened.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise ValueError("too long")
    return data.decode().rstrip("\r\n")


async def _variable(name: str, pointer: str) -> str:
    value = os.environ.get(name)
    if not value or name.startswith("BOOPER_"):
        raise Invalid(
            "The server has no such variable to give.", code="missing_variable", pointer=pointer
        )
    return value

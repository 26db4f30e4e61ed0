"""Pages: long lists piece by piece, by keyset; a cursor is good for one list and one caller.

`limit` 1…100, default 50; the answer is `{"data": […], "next_cursor": …}` with a `Link` to the next
(RFC 8288). Cursors are signed: one that was made up, changed, or made for another list or caller is
`invalid_cursor`.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING, Annotated, Any, Generic, Protocol, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Meta
from quart import request

from booper.api.render import rendered
from booper.domain.caller import identity
from booper.domain.errors import Invalid
from booper.store.server_keys import CURSOR

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from quart import Response

    from booper.api.house import House
    from booper.domain.caller import Caller

T = TypeVar("T")
_MAC = 16  # bytes


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which part of a list. Subclass it where a list has filters."""

    cursor: Annotated[str, Meta(max_length=512)] = ""
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class Listed(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list; `next_cursor` is null at its end."""

    data: list[T]
    next_cursor: str | None = None


class Row(Protocol):
    """What can be listed: its id is its place in the order."""

    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=Row)


async def listed(
    house: House,
    caller: Caller,
    query: Page,
    fetch: Callable[[str, int], Awaitable[Sequence[R]]],
    view: Callable[[R], Any],
) -> Response:
    """The part of a list that is asked for. `fetch(after, limit)`: the rows whose ids come after
    that one ("" for the first), in the order of their ids."""
    key = (await house.keys.newest(CURSOR)).raw
    list_of = f"{request.path}\0{identity(caller)}\0".encode()
    rows = await fetch(_read(key, list_of, query.cursor), query.limit + 1)
    shown = rows[: query.limit]
    if len(rows) <= query.limit:
        return rendered(Listed([view(row) for row in shown]))
    cursor = _made(key, list_of, shown[-1].id)
    more = urlencode({**request.args.to_dict(), "cursor": cursor})
    link = f'<{request.path}?{more}>; rel="next"'
    return rendered(Listed([view(row) for row in shown], cursor), headers={"Link": link})


def _made(key: bytes, list_of: bytes, position: str) -> str:
    text = position.encode()
    mac = hmac.digest(key, list_of + text, "sha256")[:_MAC]
    return base64.urlsafe_b64encode(mac + text).decode().rstrip("=")


def _read(key: bytes, list_of: bytes, cursor: str) -> str:
    if not cursor:
        return ""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise _no_cursor() from None
    mac, text = raw[:_MAC], raw[_MAC:]
    if not hmac.compare_digest(mac, hmac.digest(key, list_of + text, "sha256")[:_MAC]):
        raise _no_cursor()
    return text.decode()


def _no_cursor() -> Invalid:
    return Invalid("This cursor is not from this list.", code="invalid_cursor", pointer="/cursor")

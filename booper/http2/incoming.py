"""What a server makes of a request's header list, and a request whose body is still coming."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.http2.errors import ErrorCode, StreamError
from booper.http2.fields import check_fields
from booper.http2.shapes import Head

if TYPE_CHECKING:
    from booper.wire import Header

_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path"})


class Incoming:
    """A request without its end. `uncredited` is what of its DATA the client was not given back."""

    __slots__ = ("chunks", "head", "path", "size", "uncredited", "values")

    def __init__(self, head: Head, path: bytes, values: tuple[bytes, ...]) -> None:
        self.head = head
        self.path = path
        self.values = values
        self.chunks: list[bytes] = []
        self.size = 0
        self.uncredited = 0


def head_of(fields: tuple[Header, ...]) -> tuple[Head, bytes]:
    """A request's head, sharing nothing, and its path (RFC 9113 section 8.3.1).

    StreamError if the list is not a request's.
    """
    pseudo: dict[bytes, bytes] = {}
    count = 0
    for name, value in fields:
        if name[:1] != b":":
            break
        count += 1
        if name not in _PSEUDO or name in pseudo:
            raise StreamError(ErrorCode.PROTOCOL_ERROR, "a pseudo-header that may not be here")
        pseudo[name] = value
    check_fields(fields[count:])
    method, path = pseudo.get(b":method"), pseudo.get(b":path")
    if not method or not path or b":scheme" not in pseudo:
        raise StreamError(ErrorCode.PROTOCOL_ERROR, "a request without method, scheme or path")
    return Head(pseudo, fields[count:], ()), path

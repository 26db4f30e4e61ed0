"""What a header list must be to count as HTTP (RFC 9113 sections 8.2 and 8.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.http2.errors import ErrorCode, StreamError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from booper.wire import Header

_FORBIDDEN = b"\0\r\n"
_COLON = 58
_CONNECTION_FIELDS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)


def status_of(fields: tuple[Header, ...]) -> int:
    """The status of an answer's header list (RFC 9113 section 8.3.2). StreamError if malformed."""
    if not fields or fields[0][0] != b":status":
        raise StreamError(ErrorCode.PROTOCOL_ERROR, "no status")
    value = fields[0][1]
    if len(value) != 3 or not value.isdigit() or not b"100" <= value <= b"599" or value == b"101":
        raise StreamError(ErrorCode.PROTOCOL_ERROR, "not a status")
    check_fields(fields[1:])
    return int(value)


def check_fields(fields: Iterable[Header]) -> None:
    """StreamError unless these may be regular fields or trailers (RFC 9113 section 8.2)."""
    for name, value in fields:
        if not name or name[0] == _COLON or name != name.lower() or name in _CONNECTION_FIELDS:
            raise StreamError(ErrorCode.PROTOCOL_ERROR, "a field that may not be here")
        if value.translate(None, _FORBIDDEN) != value:
            raise StreamError(ErrorCode.PROTOCOL_ERROR, "a field with a forbidden byte")

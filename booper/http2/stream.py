"""A request that is not simple: its body waits for a window, or its answer comes in pieces.

Most streams never become one of these: they are a number in a dictionary until a one-frame
answer comes (`client.py`). Here is what the others need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.http2.errors import ErrorCode, StreamError
from booper.http2.flow import Rest

if TYPE_CHECKING:
    from booper.http2.batch import Batch
    from booper.wire import Header


class Stream(Rest):
    """One open request and what has come of its answer.

    Its `unsent` is what remains of the request's body. `status` is
    0 until the answer's headers are here; `head` is then its fields, decoded or not. `flow` counts
    DATA received including padding, `size` the body's bytes.
    """

    __slots__ = ("batch", "chunks", "flow", "head", "index", "size", "status")

    def __init__(self, batch: Batch, index: int, unsent: bytes = b"", window: int = 0) -> None:
        super().__init__(unsent, window)
        self.batch = batch
        self.index = index
        self.status = 0
        self.head: tuple[Header, ...] | bytes = ()
        self.chunks: list[bytes] = []
        self.size = 0
        self.flow = 0


def status_of(fields: tuple[Header, ...]) -> int:
    """The status of an answer's header list (RFC 9113 section 8.3.2). StreamError if malformed."""
    if not fields or fields[0][0] != b":status":
        raise StreamError(ErrorCode.PROTOCOL_ERROR, "no status")
    value = fields[0][1]
    if len(value) != 3 or not value.isdigit() or not b"100" <= value <= b"599" or value == b"101":
        raise StreamError(ErrorCode.PROTOCOL_ERROR, "not a status")
    check_fields(fields[1:])
    return int(value)


def check_fields(fields: tuple[Header, ...]) -> None:
    """StreamError unless these may be regular fields or trailers (RFC 9113 section 8.2)."""
    for name, value in fields:
        if not name or name[0] == 58 or name != name.lower() or name in _CONNECTION_FIELDS:
            raise StreamError(ErrorCode.PROTOCOL_ERROR, "a field that may not be here")
        if value.translate(None, _FORBIDDEN) != value:
            raise StreamError(ErrorCode.PROTOCOL_ERROR, "a field with a forbidden byte")


_FORBIDDEN = b"\0\r\n"
_CONNECTION_FIELDS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)

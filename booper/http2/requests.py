"""A server's open streams: requests that come in pieces, and streams that end early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.http2 import frames
from booper.http2.connection import Connection
from booper.http2.errors import ErrorCode, ProtocolError, StreamError
from booper.http2.fields import check_fields
from booper.http2.incoming import Incoming, head_of
from booper.http2.shapes import Head, Shape, learn

if TYPE_CHECKING:
    from booper.http2.limits import Limits

# Stream id, path, what it shares with its like, the values of `head.names`, body.
Request = tuple[int, bytes, Head, tuple[bytes, ...], bytes]

_SHAPES = 64


class Requests(Connection):
    """The receiving half of a server."""

    _peer_may_push = True

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits, table_size=4096)
        self._last = 0
        self._final = frames.ID_MASK  # the last stream to be served, once we said GOAWAY
        self._open: set[int] = set()  # not answered yet
        self._coming: dict[int, Incoming] = {}
        self._widened: dict[int, int] = {}  # windows enlarged before there was anything to send
        self._requests: list[Request] = []
        self._shapes: dict[int, Shape] = {}
        self._shape: Shape | None = None  # that of the last request
        self._answered = 0
        self._allowed = limits.streams

    def _room(self) -> int:
        return self._allowed - len(self._open) - len(self._unsent)

    def _check_stream(self, stream: int, *, opens: bool = False) -> None:
        if not stream & 1 or (stream > self._last and not opens):
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, f"stream {stream} is idle")

    def _progress(self) -> int:
        return self._answered

    def _on_headers(self, stream: int, block: bytes, *, end: bool) -> None:
        if stream > self._last:
            self._last = stream
            self._begin(stream, block, end=end)
            return
        item = self._coming.get(stream)
        if item is None:
            self._late_headers(stream, block, end=end)
            return
        try:
            check_fields(self._decoder.decode(block))
            if not end:
                raise StreamError(ErrorCode.PROTOCOL_ERROR, "headers inside a body")
            self._complete(stream, item)
        except StreamError as error:
            self._end(stream, error.code)

    def _begin(self, stream: int, block: bytes, *, end: bool) -> None:
        if stream > self._final:  # after our GOAWAY: the client knows that we do not look
            self._departed.add(stream)
            self._late_headers(stream, block, end=end)
            return
        if self._room() <= 0:
            self._skip(block)
            self._bear()
            self._end(stream, ErrorCode.REFUSED_STREAM)
            return
        try:
            head, path, values = self._understand(block)
        except StreamError as error:
            self._end(stream, error.code)
            return
        self._open.add(stream)
        if end:
            self._requests.append((stream, path, head, values, b""))
        else:
            self._coming[stream] = Incoming(head, path, values)

    def _understand(self, block: bytes) -> tuple[Head, bytes, tuple[bytes, ...]]:
        """What a request's block says; a shape is learned from each that may be seen again."""
        shape = self._shapes.get(len(block))
        if shape is not None:
            found = shape.match(block)
            if found is not None:
                self._shape = shape
                return found
        before = self._decoder.changes
        fields = self._decoder.decode(block)
        head, path = head_of(fields)
        if self._decoder.changes != before:
            self._shapes.clear()
            self._shape = None
            return head, path, ()
        shape = learn(block, fields)
        if shape is None:
            return head, path, ()
        if len(self._shapes) >= _SHAPES:
            self._shapes.clear()
        for other in self._shapes.values():
            if other.head.like(shape.head):  # one object for both: it is checked once
                shape.head = other.head
                break
        self._shapes[len(block)] = self._shape = shape
        return shape.match(block) or (head, path, ())

    def _on_data(self, stream: int, data: bytes, flow: int, *, end: bool) -> None:
        item = self._coming.get(stream)
        if item is None:
            self._late_data(stream, flow, end=end)
            return
        self._credit(flow)
        item.uncredited += flow
        room = self.limits.body - item.size
        if room > 0:
            item.chunks.append(data[:room])
        item.size += len(data)
        if end:
            self._complete(stream, item)
        elif item.uncredited * 2 >= self.limits.stream_window:  # so it is never overrun
            self._out.append(frames.window_update(stream, item.uncredited))
            item.uncredited = 0

    def _complete(self, stream: int, item: Incoming) -> None:
        del self._coming[stream]
        body = b"".join(item.chunks)
        self._requests.append((stream, item.path, item.head, item.values, body))

    def _on_reset(self, stream: int, code: int) -> None:  # noqa: ARG002  (why a client left is its own)
        self._bear()  # opening and resetting streams is work for nothing (CVE-2023-44487)
        self._departed.end(stream)
        self._forget(stream)

    def _on_window(self, stream: int, increment: int) -> None:
        waiting = stream in self._open or stream in self._unsent
        try:
            if not increment and waiting:
                raise StreamError(ErrorCode.PROTOCOL_ERROR, "a window update by nothing")
            if stream in self._open:
                widened = self._widened[stream] = self._widened.get(stream, 0) + increment
                if self.peer.window + widened > frames.LARGEST_WINDOW:
                    raise StreamError(ErrorCode.FLOW_CONTROL_ERROR, "the stream's window overflows")
            self._widen(stream, increment)
        except StreamError as error:
            self._end(stream, error.code)

    def _on_goaway(self, last_stream: int, code: int, detail: bytes) -> None:  # noqa: ARG002
        self._bear()
        self.draining = True

    def _on_sent(self, stream: int) -> None:
        pass

    def _end(self, stream: int, code: ErrorCode) -> None:
        """RST_STREAM, whatever state the stream is in."""
        self._out.append(frames.rst_stream(stream, code))
        self._departed.add(stream)
        self._forget(stream)

    def _forget(self, stream: int) -> None:
        self._coming.pop(stream, None)
        self._widened.pop(stream, None)
        self._drop_rest(stream)
        if stream in self._open:
            self._open.remove(stream)
            self._requests[:] = [r for r in self._requests if r[0] != stream]

"""A client's open requests, and what becomes of each.

Every request ends exactly once: in an answer, or in a Lost that says whether the peer may have
processed it. A request whose END_STREAM never left us is incomplete, so no peer has processed it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.http2 import frames
from booper.http2.connection import Connection
from booper.http2.errors import ErrorCode, ProtocolError, StreamError, code_name
from booper.http2.hpack.decoder import decode_stateless
from booper.http2.stream import Stream, check_fields, status_of
from booper.wire import Lost, Reply

if TYPE_CHECKING:
    from booper.http2.batch import Batch
    from booper.http2.limits import Limits

OK = 0x88  # `:status: 200` in the static table: the first byte of a 200's header block
_STRAY = 64  # what a late frame costs beyond its bytes, of the window its reset stream had left


class Exchanges(Connection):
    """The receiving half of a client."""

    def __init__(self, limits: Limits, *, table_size: int) -> None:
        super().__init__(limits, table_size=table_size)
        self.goaway: tuple[int, int, bytes] | None = None
        """The peer's GOAWAY: last stream id it took, error code, debug data (at most 1 KiB)."""
        self._next = 1
        self._taken = 1
        # Disjoint. _open: request complete, nothing of its answer here yet; the offset makes
        # the index of a stamp from its stream id. _slow: all others. _unsent: of them those with a rest.
        self._open: dict[int, tuple[Batch, int]] = {}
        self._slow: dict[int, Stream] = {}
        self._unsent: dict[int, Stream] = {}
        # Streams we ended before the peer did, with what it may still send on them by mistake.
        self._reset: dict[int, int] = {}
        self._forgotten = 0
        self._finished: list[Batch] = []
        self._lazy = False

    # -- frames of the peer

    def _check_stream(self, stream: int) -> None:
        if stream >= self._next or not stream & 1:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, f"stream {stream} is idle")

    def _progress(self) -> int:
        return self._next >> 1

    def _on_headers(self, stream: int, block: bytes, *, end: bool) -> None:
        item = self._slowly(stream)
        if item is None:
            self._late(stream, len(block), end=end)
            self._skip(block)
            return
        try:
            if item.status:
                check_fields(self._decoder.decode(block))
                if not end:
                    raise StreamError(ErrorCode.PROTOCOL_ERROR, "headers inside a body")
            else:
                self._answer(item, block, end=end)
        except StreamError as error:
            self._give_up(stream, item, error)
        else:
            if end:
                self._complete(stream, item)

    def _answer(self, item: Stream, block: bytes, *, end: bool) -> None:
        if self._lazy and block[:1] == b"\x88":
            item.status, item.head = 200, block
            return
        fields = self._decoder.decode(block)
        status = status_of(fields)
        if status >= 200:
            item.status, item.head = status, fields[1:]
        elif end:
            raise StreamError(ErrorCode.PROTOCOL_ERROR, "an interim answer that ends")
        else:
            self._bear()

    def _on_data(self, stream: int, data: bytes, flow: int, *, end: bool) -> None:
        item = self._slowly(stream)
        if item is None:
            self._late(stream, flow, end=end)
            self._credit(flow)
            return
        item.flow += flow
        if not item.status:
            self._give_up(
                stream, item, StreamError(ErrorCode.PROTOCOL_ERROR, "body before headers")
            )
        elif item.flow > self.limits.stream_window:
            self._give_up(stream, item, StreamError(ErrorCode.FLOW_CONTROL_ERROR, "window overrun"))
        else:
            room = self.limits.body - item.size
            item.chunks.append(data[:room])
            item.size += len(data)
            if end:
                self._complete(stream, item)
            elif len(data) > room:  # the status is known, so the answer counts, cut off
                self._complete(stream, item)
                self._close(stream, ErrorCode.CANCEL)

    def _on_reset(self, stream: int, code: int) -> None:
        item = self._slowly(stream)
        if item is None:
            self._reset.pop(stream, None)
            self._bear()
        elif code == ErrorCode.REFUSED_STREAM:
            self._lose(stream, item, Lost(sent=False, reason="refused", detail="REFUSED_STREAM"))
        else:
            sent = not item.unsent
            self._lose(stream, item, Lost(sent=sent, reason="reset", detail=code_name(code)))

    def _on_window(self, stream: int, increment: int) -> None:
        item = self._unsent.get(stream)
        if not increment and (item or stream in self._open or stream in self._slow):
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a window update by nothing")
        if item is None:  # nothing more to send there
            return
        item.window += increment
        if item.window > frames.LARGEST_WINDOW:
            error = StreamError(ErrorCode.FLOW_CONTROL_ERROR, "the stream's window overflows")
            self._give_up(stream, item, error)
        else:
            self._send_rest(stream, item)

    def _on_room(self, change: int) -> None:
        if change:
            for item in self._unsent.values():
                item.window += change
                if item.window > frames.LARGEST_WINDOW:
                    raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "a stream's window overflows")
        for stream, item in list(self._unsent.items()):
            if self._send_window <= 0:
                break
            self._send_rest(stream, item)

    def _on_goaway(self, last_stream: int, code: int, detail: bytes) -> None:
        if self.goaway is not None:  # a second one may only lower the limit
            last_stream = min(last_stream, self.goaway[0])
        self.goaway = (last_stream, code, detail)
        self.draining = True
        lost = Lost(sent=False, reason="goaway", detail=code_name(code))
        for stream in [s for s in (*self._open, *self._slow) if s > last_stream]:
            item = self._slowly(stream)
            if item is not None:
                self._lose(stream, item, lost)
                self._remember(stream)

    # -- ends of streams

    def _slowly(self, stream: int) -> Stream | None:
        """The open request `stream`, as a Stream from now on."""
        entry = self._open.pop(stream, None)
        if entry is None:
            return self._slow.get(stream)
        batch, offset = entry
        item = self._slow[stream] = Stream(batch, (stream >> 1) - offset)
        return item

    def _complete(self, stream: int, item: Stream) -> None:
        del self._slow[stream]
        batch, head = item.batch, item.head
        decode = decode_stateless if isinstance(head, bytes) else None
        body = b"".join(item.chunks)
        batch.answers[item.index] = Reply(item.status, head, body, decode)
        batch.left -= 1
        if not batch.left:
            self._finished.append(batch)
        self._credit(item.flow)
        if item.unsent:  # answered before it was asked: the rest of the body interests nobody
            del self._unsent[stream]
            self._out.append(frames.rst_stream(stream, ErrorCode.CANCEL))

    def _lose(self, stream: int, item: Stream, lost: Lost) -> None:
        del self._slow[stream]
        self._unsent.pop(stream, None)
        self._credit(item.flow)
        item.batch.lost(item.index, lost)
        if not item.batch.left:
            self._finished.append(item.batch)

    def _give_up(self, stream: int, item: Stream, error: StreamError) -> None:
        sent = not item.unsent
        self._lose(stream, item, Lost(sent=sent, reason="malformed", detail=str(error)))
        self._close(stream, error.code)

    def _close(self, stream: int, code: ErrorCode) -> None:
        self._out.append(frames.rst_stream(stream, code))
        self._remember(stream)

    # -- late frames

    def _remember(self, stream: int) -> None:
        self._reset[stream] = self.limits.stream_window
        if len(self._reset) > self.limits.remembered:
            oldest = next(iter(self._reset))
            del self._reset[oldest]
            self._forgotten = max(self._forgotten, oldest)

    def _late(self, stream: int, size: int, *, end: bool) -> None:
        """A frame on a stream that has ended: fair if it crossed our reset, else an error."""
        left = self._reset.get(stream)
        if left is None:
            if stream > self._forgotten:
                raise ProtocolError(ErrorCode.STREAM_CLOSED, f"stream {stream} has ended")
            self._bear()
        elif left < size:
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, f"stream {stream} was reset long ago")
        elif end:
            del self._reset[stream]
        else:
            self._reset[stream] = left - size - _STRAY

    def _skip(self, block: bytes) -> None:
        """Keep the decoder's table in step with a block nobody wants."""
        if not self._lazy:
            try:
                self._decoder.decode(block)
            except StreamError:
                self._bear()

    # -- bodies larger than a window

    def _send_rest(self, stream: int, item: Stream) -> None:
        """As much of the body as both windows allow."""
        body, out = item.unsent, self._out
        at = 0
        while True:
            size = min(len(body) - at, self.peer.frame_size, item.window, self._send_window)
            if size <= 0:
                break
            last = at + size == len(body)
            flags = frames.END_STREAM if last else 0
            out.append(frames.frame(frames.DATA, flags, stream, body[at : at + size]))
            at += size
            item.window -= size
            self._send_window -= size
        item.unsent = body[at:]
        if not item.unsent:
            del self._unsent[stream]
            if not item.status:
                del self._slow[stream]
                self._open[stream] = (item.batch, (stream >> 1) - item.index)

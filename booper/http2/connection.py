"""What both ends of an HTTP/2 connection share: frames told apart, settings, windows, floods.

Client and Server read their commonest frames themselves, in their `receive` loops, and hand
everything else to `_frame` here, which checks it and calls the `_on_...` of its kind. A broken
rule of the connection raises ProtocolError, one of a stream StreamError; `receive` of each end
turns them into GOAWAY or RST_STREAM.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from booper.http2 import frames, settings
from booper.http2.departed import Departed
from booper.http2.errors import ErrorCode, ProtocolError, StreamError
from booper.http2.flow import Sending
from booper.http2.hpack.decoder import Decoder
from booper.http2.stamping import Stamping

if TYPE_CHECKING:
    from booper.http2.limits import Limits

_CREDIT_AT = 1 << 18  # bytes of the connection's window given back at once, if it is that large
_SETTINGS_WEIGHT = 16  # they may touch every waiting body
_FORGIVEN = 8  # noise forgiven per request; a server may well send a few WINDOW_UPDATEs for each


class Connection(Sending):
    """One end of a connection: bytes in, bytes out, no I/O and no clock."""

    _peer_may_push = False

    def __init__(self, limits: Limits, *, table_size: int) -> None:
        super().__init__()
        self.limits = limits
        self.settled = False
        """The peer's SETTINGS have arrived."""
        self.failure: ProtocolError | None = None
        """Why the connection was ended by a broken rule; nothing is read or sent after it."""
        self.draining = False
        """No further stream begins here: GOAWAY came or went, or the ids are used up."""
        self.pings = 0
        """PINGs of ours not answered yet."""
        self._buffer = b""
        self._lazy = False  # no block depends on an earlier one: a 200 need not be decoded
        self._table_size = table_size
        self._stamping = Stamping()
        self._departed = Departed(limits.remembered, limits.stream_window)
        self._decoder = Decoder(4096, limits.header_list)
        self._receive_window = limits.connection_window
        self._uncredited = 0
        self._credit_at = min(_CREDIT_AT, limits.connection_window // 2)
        self._open_block: tuple[int, int, list[bytes]] | None = None
        self._noise = 0
        self._progressed = 0
        self._acks = 0

    # -- for the owner

    def take(self) -> bytes:
        """Everything to be written now, once; b"" if there is nothing."""
        data = b"".join(self._out)
        self._out.clear()
        self._acks = 0
        return data

    def ping(self, payload: bytes = b"booper--") -> None:
        """Ask for a sign of life (`payload` is 8 bytes); `pings` goes back to 0 when it comes."""
        self.pings += 1
        self._out.append(frames.ping(payload))

    # -- what an end does with what it is told

    @abstractmethod
    def _on_headers(self, stream: int, block: bytes, *, end: bool) -> None: ...
    @abstractmethod
    def _on_data(self, stream: int, data: bytes, flow: int, *, end: bool) -> None: ...
    @abstractmethod
    def _on_reset(self, stream: int, code: int) -> None: ...
    @abstractmethod
    def _on_window(self, stream: int, increment: int) -> None: ...
    @abstractmethod
    def _on_goaway(self, last_stream: int, code: int, detail: bytes) -> None: ...
    @abstractmethod
    def _check_stream(self, stream: int, *, opens: bool = False) -> None:
        """ProtocolError unless the peer may speak of that stream by now, or `opens` it."""

    @abstractmethod
    def _progress(self) -> int:
        """Requests so far; each forgives some noise."""

    # -- frames

    def _frame(self, kind: int, stream: int, buf: bytes, at: int, end: int) -> None:
        """One whole frame that no short path took; `kind` is type and flags, `at` its payload."""
        stream &= frames.ID_MASK
        flags = kind & 0xFF
        kind >>= 8
        if end - at > frames.DEFAULT_FRAME_SIZE:
            raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, "a frame too long")
        if self._open_block is not None and kind != frames.CONTINUATION:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a header block was left open")
        if not self.settled and kind != frames.SETTINGS:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        if kind in _STREAM_KINDS:
            if not stream:
                raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a stream's frame on stream 0")
        elif stream and kind in _CONNECTION_KINDS:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "the connection's frame on a stream")
        if kind == frames.DATA:
            self._data(stream, flags, buf, at, end)
        elif kind == frames.HEADERS:
            self._headers(stream, flags, buf, at, end)
        elif kind == frames.CONTINUATION:
            self._continuation(stream, flags, buf[at:end])
        elif kind == frames.WINDOW_UPDATE:
            self._window_update(stream, buf[at:end])
        elif kind == frames.RST_STREAM:
            self._check_stream(stream)
            self._expect(end - at == 4, "RST_STREAM")
            self._on_reset(stream, frames.read_u32(buf, at)[0])
        elif kind == frames.SETTINGS:
            self._settings(flags, buf[at:end])
        elif kind == frames.PING:
            self._ping(flags, buf[at:end])
        elif kind == frames.GOAWAY:
            self._expect(end - at >= 8, "GOAWAY")
            last, code = frames.read_u32(buf, at)[0], frames.read_u32(buf, at + 4)[0]
            self._on_goaway(last & frames.ID_MASK, code, buf[at + 8 : min(end, at + 1032)])
        elif kind == frames.PUSH_PROMISE:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "push was never allowed")
        else:  # PRIORITY is history, the rest unknown: both must be ignored, a flood must not
            if kind == frames.PRIORITY:
                self._expect(end - at == 5, "PRIORITY")
            self._bear()

    def _keep(self, buf: bytes, at: int) -> None:
        """The beginning of a frame waits for its end, unless it is too long to be waited for."""
        self._buffer = rest = buf[at:]
        if int.from_bytes(rest[:3], "big") > frames.DEFAULT_FRAME_SIZE and len(rest) >= 3:
            raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, "a frame too long")

    def _expect(self, right: bool, what: str) -> None:  # noqa: FBT001  (reads as a sentence)
        if not right:
            raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"{what} of a wrong size")

    def _bear(self, weight: int = 1) -> None:
        """Count a frame that brings nobody forward; `weight` is what it costs us."""
        progress = self._progress()
        self._noise = max(0, self._noise - _FORGIVEN * (progress - self._progressed)) + weight
        self._progressed = progress
        if self._noise > self.limits.noise:
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "too many frames to no purpose")

    def _ack(self, data: bytes, weight: int = 1) -> None:
        self._bear(weight)
        self._acks += 1
        if self._acks > self.limits.acks:
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "answers pile up unread")
        self._out.append(data)

    def _unpadded(self, flags: int, buf: bytes, at: int, end: int) -> tuple[int, int]:
        if not flags & frames.PADDED:
            return at, end
        self._expect(end > at, "a padded frame")
        end -= buf[at]
        at += 1
        if end < at:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "padding longer than its frame")
        return at, end

    def _data(self, stream: int, flags: int, buf: bytes, at: int, end: int) -> None:
        self._check_stream(stream)
        flow = end - at
        self._receive_window -= flow
        if self._receive_window < 0:
            raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window overrun")
        at, end = self._unpadded(flags, buf, at, end)
        last = bool(flags & frames.END_STREAM)
        if at == end and not last:
            self._bear()
        self._on_data(stream, buf[at:end], flow, end=last)

    def _credit(self, flow: int) -> None:
        """`flow` bytes of DATA are dealt with: let the peer send as many more."""
        self._uncredited += flow
        if self._uncredited >= self._credit_at:
            self._out.append(frames.window_update(0, self._uncredited))
            self._receive_window += self._uncredited
            self._uncredited = 0

    def _late_data(self, stream: int, flow: int, *, end: bool) -> None:
        if not self._departed.meet(stream, flow, end=end):
            self._bear()
        self._credit(flow)

    def _late_headers(self, stream: int, block: bytes, *, end: bool) -> None:
        if not self._departed.meet(stream, len(block), end=end):
            self._bear()
        self._skip(block)

    def _skip(self, block: bytes) -> None:
        """Keep the decoder's table in step with a block nobody wants."""
        if not self._lazy:
            try:
                self._decoder.decode(block)
            except StreamError:
                self._bear()

    def _headers(self, stream: int, flags: int, buf: bytes, at: int, end: int) -> None:
        self._check_stream(stream, opens=True)
        at, end = self._unpadded(flags, buf, at, end)
        if flags & frames.PRIORITISED:
            at += 5
            self._expect(at <= end, "HEADERS")
        if flags & frames.END_HEADERS:
            self._on_headers(stream, buf[at:end], end=bool(flags & frames.END_STREAM))
        else:
            self._open_block = (stream, flags, [buf[at:end]])

    def _continuation(self, stream: int, flags: int, piece: bytes) -> None:
        if self._open_block is None or self._open_block[0] != stream:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing")
        _, first, pieces = self._open_block
        pieces.append(piece)
        if len(pieces) > self.limits.fragments:
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "too many CONTINUATION frames")
        if sum(map(len, pieces)) > self.limits.header_block:
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "header block too long")
        if flags & frames.END_HEADERS:
            self._open_block = None
            self._on_headers(stream, b"".join(pieces), end=bool(first & frames.END_STREAM))

    def _window_update(self, stream: int, payload: bytes) -> None:
        self._expect(len(payload) == 4, "WINDOW_UPDATE")
        increment = int.from_bytes(payload, "big") & frames.ID_MASK
        said = len(self._out)
        if stream:
            self._check_stream(stream)
            self._on_window(stream, increment)
        elif increment:
            self._widen_connection(increment)
        else:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a window update by nothing")
        if len(self._out) == said:  # one that lets a body go on is no noise, however small
            self._bear()

    def _settings(self, flags: int, payload: bytes) -> None:
        if flags & frames.ACK:
            self._expect(not payload, "SETTINGS ACK")
            if not self.settled:
                raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
            self._bear()
            self._on_ack()
            return
        self._expect(len(payload) % 6 == 0, "SETTINGS")
        self.settled = True
        self._ack(frames.ACK_SETTINGS, weight=_SETTINGS_WEIGHT)
        window = self.peer.window
        for key, value in self.peer.apply(payload, may_push=self._peer_may_push):
            if key == settings.HEADER_TABLE_SIZE:
                self._stamping.encoder.restrict(value)
        # Once, though one frame may change it a thousand times.
        self._resize_streams(self.peer.window - window)

    def _on_ack(self) -> None:
        """The peer has taken the oldest SETTINGS of ours that it had not acknowledged."""
        self._decoder.restrict(self._table_size)
        self._lazy = not self._table_size

    def _ping(self, flags: int, payload: bytes) -> None:
        self._expect(len(payload) == 8, "PING")
        if not flags & frames.ACK:
            self._ack(frames.ping(payload, ack=True))
        elif self.pings:
            self.pings = 0
            self._noise = 0  # an idle connection lives as long as it is asked to
        else:
            self._bear()


_STREAM_KINDS = frozenset(
    {frames.DATA, frames.HEADERS, frames.PRIORITY, frames.RST_STREAM, frames.CONTINUATION}
)
_CONNECTION_KINDS = frozenset({frames.SETTINGS, frames.PING, frames.GOAWAY})

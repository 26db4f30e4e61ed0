"""Flow control of what we send (RFC 9113 section 5.2): bodies that wait for a window.

Most bodies are small and go at once (`client.py`, `server.py` only subtract them from the
connection's window). The others are a Rest until the peer has made room.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from booper.http2 import frames
from booper.http2.errors import ErrorCode, ProtocolError, StreamError
from booper.http2.settings import PeerSettings


class Rest:
    """What remains of a body, and how much of it the peer takes on this stream now (maybe < 0)."""

    __slots__ = ("unsent", "window")

    def __init__(self, unsent: bytes, window: int) -> None:
        self.unsent = unsent
        self.window = window


class Sending(ABC):
    """The sending half of a connection."""

    def __init__(self) -> None:
        self.peer = PeerSettings()
        self._out: list[bytes] = []
        self._send_window = frames.DEFAULT_WINDOW
        self._unsent: dict[int, Rest] = {}
        self._eager: dict[int, Rest] = {}  # those only the connection's window holds back

    @abstractmethod
    def _on_sent(self, stream: int) -> None:
        """The last of a waiting body was written."""

    def _begin_rest(self, stream: int, rest: Rest) -> None:
        self._unsent[stream] = rest
        self._send_rest(stream, rest)

    def _send_rest(self, stream: int, rest: Rest) -> None:
        """As much of the body as both windows allow."""
        body, at = rest.unsent, 0
        while True:
            size = min(len(body) - at, self.peer.frame_size, rest.window, self._send_window)
            if size <= 0:
                break
            end = at + size
            flags = frames.END_STREAM if end == len(body) else 0
            self._out.append(frames.frame(frames.DATA, flags, stream, body[at:end]))
            at = end
            rest.window -= size
            self._send_window -= size
        if at == len(body):
            self._drop_rest(stream)
            rest.unsent = b""
            self._on_sent(stream)
            return
        if at:
            rest.unsent = body[at:]
        if rest.window > 0:
            self._eager[stream] = rest
        else:
            self._eager.pop(stream, None)

    def _drop_rest(self, stream: int) -> None:
        """Send nothing more of a body, if there is one."""
        self._unsent.pop(stream, None)
        self._eager.pop(stream, None)

    def _widen(self, stream: int, increment: int) -> None:
        """A WINDOW_UPDATE for one stream. StreamError if its window overflows."""
        rest = self._unsent.get(stream)
        if rest is None:  # nothing more to send there
            return
        rest.window += increment
        if rest.window > frames.LARGEST_WINDOW:
            raise StreamError(ErrorCode.FLOW_CONTROL_ERROR, "the stream's window overflows")
        self._send_rest(stream, rest)

    def _widen_connection(self, increment: int) -> None:
        self._send_window += increment
        if self._send_window > frames.LARGEST_WINDOW:
            raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window overflows")
        self._send_rests()

    def _resize_streams(self, change: int) -> None:
        """The peer's SETTINGS_INITIAL_WINDOW_SIZE moved every stream's window."""
        if not change:
            return
        for stream, rest in self._unsent.items():
            rest.window += change
            if rest.window > frames.LARGEST_WINDOW:
                raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "a stream's window overflows")
            if rest.window > 0:
                self._eager[stream] = rest
            else:
                self._eager.pop(stream, None)
        self._send_rests()

    def _send_rests(self) -> None:
        """Oldest first. Each turn ends a body, a stream's window or the connection's."""
        while self._eager and self._send_window > 0:
            stream, rest = next(iter(self._eager.items()))
            self._send_rest(stream, rest)

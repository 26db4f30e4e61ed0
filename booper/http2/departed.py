"""Streams we ended before the peer did: its frames may still be on their way (RFC 9113 5.4.2)."""

from __future__ import annotations

from booper.http2.errors import ErrorCode, ProtocolError

_EACH = 64  # what a late frame costs beyond its bytes, of the window its stream had left


class Departed:
    """The latest such streams, each with what may still arrive on it; older ones only by id."""

    __slots__ = ("_keep", "_left", "_oldest", "_window")

    def __init__(self, keep: int, window: int) -> None:
        self._left: dict[int, int] = {}
        self._keep = keep
        self._window = window
        self._oldest = 0

    def __len__(self) -> int:
        return len(self._left)

    def add(self, stream: int) -> None:
        """We reset `stream`, or the peer promised to say nothing on it."""
        self._left[stream] = self._window
        if len(self._left) > self._keep:
            forgotten = next(iter(self._left))
            del self._left[forgotten]
            self._oldest = max(self._oldest, forgotten)

    def end(self, stream: int) -> None:
        """The peer ended it too: nothing more may come."""
        self._left.pop(stream, None)

    def meet(self, stream: int, size: int, *, end: bool) -> bool:
        """A late frame of `size` bytes. False: forgiven, but of a stream we know nothing about.

        ProtocolError: the peer had ended that stream, or goes on as if we had not.
        """
        left = self._left.get(stream)
        if left is None:
            if stream > self._oldest:
                raise ProtocolError(ErrorCode.STREAM_CLOSED, f"stream {stream} has ended")
            return False
        if left < size:
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, f"stream {stream} was reset long ago")
        if end:
            del self._left[stream]
        else:
            self._left[stream] = left - size - _EACH
        return True

"""The HTTP/2 side of one connection: what `h2` says, and the words that we say ourselves.

Bytes in, h2's events out; answers, resets, limits and GOAWAY in, bytes out. It judges nothing.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from booper.simulators.serving import frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.simulators.serving.judging import Response

_HEADER_LIST = 8000


class Link:
    """A server's end of an HTTP/2 connection; `stuck` True stops every credit to the peer."""

    def __init__(self) -> None:
        self.stuck = False
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding=None)
        )
        # h2 would close the connection at the 101st open stream; how many there may be is said,
        # and judged stream by stream, here.
        self._h2.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 2**31 - 1,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 2**16,
            },
        )
        self._out = bytearray()
        self._unsent: deque[tuple[int, bytes]] = deque()
        self._announced = -1  # the stream limit in the newest SETTINGS
        self._limits: deque[int] = deque()  # limits not acknowledged yet
        self._limit: int | None = None  # the limit the peer has acknowledged

    @property
    def highest(self) -> int:
        """The highest stream that the peer has opened."""
        return int(self._h2.highest_inbound_stream_id)

    def open(self, limit: int) -> None:
        """Queue the first words. On a stuck link every stream starts with a window of nothing."""
        self._h2.initiate_connection()
        self._h2.data_to_send()  # its SETTINGS; ours say the same and more
        window = {frames.INITIAL_WINDOW_SIZE: 0} if self.stuck else {}
        self.announce(limit, {frames.MAX_HEADER_LIST_SIZE: _HEADER_LIST, **window})

    def events(self, data: bytes) -> Sequence[h2.events.Event]:
        """What the peer's bytes mean. Raises ProtocolError with the GOAWAY that says why queued."""
        try:
            return self._h2.receive_data(data)
        finally:
            self._collect()

    def take(self) -> bytes:
        """The bytes to write now, in order."""
        self._collect()
        data = bytes(self._out)
        self._out.clear()
        return data

    def announce(self, limit: int, values: dict[int, int] | None = None) -> None:
        """Allow `limit` streams; nothing is said if that was the last word."""
        if limit != self._announced:
            self._announced = limit
            self._limits.append(limit)
            self._raw(frames.settings({frames.MAX_CONCURRENT_STREAMS: limit, **(values or {})}))

    def acknowledged(self) -> None:
        """The peer has acknowledged the oldest SETTINGS."""
        if self._limits:
            self._limit = self._limits.popleft()

    def room(self, streams: int) -> bool:
        """Whether one more than `streams` open ones keeps within what the peer acknowledged."""
        return self._limit is None or streams < self._limit

    def credit(self, size: int, stream_id: int) -> None:
        """Give back `size` bytes of window to the peer."""
        if size and not self.stuck:
            self._h2.acknowledge_received_data(size, stream_id)

    def answer(self, stream_id: int, response: Response, *, whole: bool) -> None:
        """Queue an answer. Unless `whole`, the rest of the request is unwanted.

        Without a body there is no empty DATA frame.
        Nothing happens if the peer reset the stream in the breath in which it was complete.
        """
        headers = [(b":status", b"%d" % response.status), *response.headers]
        body = response.body
        try:
            self._h2.send_headers(stream_id, headers, end_stream=not body)
        except h2.exceptions.ProtocolError:
            return
        if body:
            self._unsent.append((stream_id, body))
            self.send_rest()
        if not whole:  # RFC 9113, 8.1
            self.reset(stream_id, h2.errors.ErrorCodes.NO_ERROR)

    def send_rest(self) -> None:
        """Send bodies, in order, as far as the peer's windows allow."""
        while self._unsent:
            stream_id, body = self._unsent[0]
            try:
                if self._h2.local_flow_control_window(stream_id) < len(body):
                    return
                self._h2.send_data(stream_id, body, end_stream=True)
            except h2.exceptions.StreamClosedError:
                pass  # reset while its answer waited
            self._unsent.popleft()

    def reset(self, stream_id: int, code: int) -> None:
        """RST_STREAM, unless the peer was quicker."""
        with suppress(h2.exceptions.ProtocolError):
            self._h2.reset_stream(stream_id, code)

    def goaway(self, last_stream_id: int, code: int, debug: bytes) -> None:
        """GOAWAY; answers may still follow."""
        self._raw(frames.goaway(last_stream_id, code, debug))

    def _collect(self) -> None:
        self._out += self._h2.data_to_send()

    def _raw(self, frame: bytes) -> None:
        """Queue a frame of our own behind what h2 has queued."""
        self._collect()
        self._out += frame

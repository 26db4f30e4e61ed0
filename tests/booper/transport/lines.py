"""Lines made of memory and virtual time: what is written arrives `delay` seconds later."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import trio

from booper.transport.dial import DialError
from booper.transport.line import LineClosed

if TYPE_CHECKING:
    from collections.abc import Callable

    from booper.wire import Endpoint


class Far(Protocol):
    """The other end of a line."""

    def begin(self, near: MemoryLine) -> None: ...

    def hear(self, data: bytes) -> None: ...


class MemoryLine:
    """A `transport.line.Line` whose other end is an object. `jam` makes writes pile up,
    `broken` makes them fail while what was said can still be read."""

    def __init__(self, far: Far, nursery: trio.Nursery, delay: float) -> None:
        self._far = far
        self._delay = delay
        self._inbox: deque[bytes] = deque()
        self._arrived = trio.Event()
        self._drained = trio.Event()
        self._ended: str | None = None
        self._waiting = b""
        self.jam = False
        self.broken = False
        self.closed = False
        self._there, there = trio.open_memory_channel[tuple[float, bytes]](100_000)
        self._back, back = trio.open_memory_channel[tuple[float, bytes | None]](100_000)
        nursery.start_soon(self._carry, there, self._arrive_there)
        nursery.start_soon(self._carry, back, self._arrive_here)
        far.begin(self)

    # -- near side

    @property
    def backlog(self) -> int:
        return len(self._waiting)

    def read(self) -> bytes:
        if self._inbox:
            data = b"".join(self._inbox)
            self._inbox.clear()
        elif self._ended is not None:
            raise LineClosed(self._ended)
        else:
            data = b""
        if self._ended is None:
            self._arrived = trio.Event()
        return data

    def write(self, data: bytes) -> None:
        if self._ended is not None or self.closed:
            raise LineClosed(self._ended or "closed here")
        if self.broken:
            raise LineClosed("broken pipe")
        if self.jam:
            self._waiting += data
        else:
            try:
                self._there.send_nowait((trio.current_time() + self._delay, data))
            except trio.BrokenResourceError:  # the test is over
                raise LineClosed("the net is gone") from None

    async def readable(self) -> None:
        await self._arrived.wait()

    async def writable(self) -> None:
        await self._drained.wait()
        if self.broken:
            raise LineClosed("broken pipe")

    def close(self) -> None:
        self.closed = True
        self._there.close()

    # -- far side

    def say(self, data: bytes) -> None:
        """The far end writes."""
        if data and not self.closed:
            with suppress(trio.BrokenResourceError):  # the test is over
                self._back.send_nowait((trio.current_time() + self._delay, data))

    def hang_up(self) -> None:
        """The far end closes, after all it said."""
        self._back.send_nowait((trio.current_time() + self._delay, None))

    def unjam(self) -> None:
        """The system takes everything again, or nothing ever."""
        if not self.broken:
            self.jam = False
            waiting, self._waiting = self._waiting, b""
            self.write(waiting)
        self._drained.set()

    # -- the way between

    async def _carry(
        self, letters: trio.MemoryReceiveChannel[tuple[float, Any]], deliver: Callable[[Any], None]
    ) -> None:
        async with letters:
            async for when, letter in letters:
                await trio.sleep_until(when)
                deliver(letter)

    def _arrive_there(self, data: bytes) -> None:
        self._far.hear(data)

    def _arrive_here(self, data: bytes | None) -> None:
        if data is None:
            self._ended = "the peer closed the connection"
        else:
            self._inbox.append(data)
        self._arrived.set()


class Net:
    """Dials peers made by `make`, one per line; `refuse` is why it does not."""

    def __init__(self, nursery: trio.Nursery, make: Callable[[], Far], delay: float = 0.0) -> None:
        self._nursery = nursery
        self._make = make
        self.delay = delay
        self.refuse: str | None = None
        self.slow = 0.0
        self.dialled = 0
        self.lines: list[MemoryLine] = []

    async def dial(self, endpoint: Endpoint) -> MemoryLine:
        self.dialled += 1
        await trio.sleep(self.delay * 2 + self.slow)
        if self.refuse is not None:
            raise DialError(self.refuse)
        line = MemoryLine(self._make(), self._nursery, self.delay)
        self.lines.append(line)
        return line

"""One queue for the deadlines of a whole pool.

A cancel scope for each `send` costs 4 µs, which is felt when every call sends one request. Here
it is a set per 1/32 of a second, so putting in and taking out cost a tenth of that, and what is
finished leaves nothing behind.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import ceil
from typing import TYPE_CHECKING

import trio

from booper.transport.bell import Bell

if TYPE_CHECKING:
    from collections.abc import Callable

    from booper.transport.sending import Sending

FINENESS = 32  # sets per second: a deadline is met up to 1/32 s late, never early


class Deadlines:
    """Who is to be told when. Tells nobody anything unless `run` runs."""

    def __init__(self) -> None:
        self._slots: dict[int, set[Sending]] = {}
        self._order: list[int] = []
        self._bell = Bell()

    def add(self, sending: Sending, timeout: float) -> int:
        """Note it; the number is for `remove`."""
        slot = ceil((trio.current_time() + timeout) * FINENESS)
        waiting = self._slots.get(slot)
        if waiting is None:
            waiting = self._slots[slot] = set()
            heappush(self._order, slot)
            if self._order[0] == slot:
                self._bell.ring()
        waiting.add(sending)
        return slot

    def remove(self, sending: Sending, slot: int) -> None:
        """It is finished. Harmless when it was told already."""
        waiting = self._slots.get(slot)
        if waiting is not None:
            waiting.discard(sending)

    async def run(self, expire: Callable[[set[Sending]], None]) -> None:
        """Call `expire` with those whose time has come, until cancelled."""
        while True:
            due = self._order[0] / FINENESS if self._order else float("inf")
            with trio.CancelScope(deadline=due):
                await self._bell.wait()
            now = trio.current_time()
            while self._order and self._order[0] / FINENESS <= now:
                late = self._slots.pop(heappop(self._order))
                if late:
                    expire(late)

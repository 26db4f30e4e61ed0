"""Precedence: in one event loop what is light goes first, what is heavy piece by piece behind it.

A loop serves everybody in turn, so a single push among the pieces of a campaign would wait for one
of those at each of its steps. Who does something light says so while it is under way; who has a
heavy piece to do (a millisecond and more) lets the light ones pass before, for a while at most.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

FEW = 50  # devices that make no piece of work heavy
PATIENCE = 0.002  # seconds that a heavy piece waits at most: work for others goes on, if slower
LINGER = 0.0015  # seconds for which what was light has the way for its next steps elsewhere


class Precedence:
    """Of one event loop; see `precedence`."""

    def __init__(self) -> None:
        self._light = 0
        self._until = 0.0
        self._waiting: set[trio.Event] = set()
        self._turn = trio.Lock()

    @property
    def taken(self) -> bool:
        """Whether something light is under way."""
        return self._light > 0 or trio.current_time() < self._until

    @contextmanager
    def light(self, *, linger: bool = False) -> Iterator[None]:
        """Something light is under way. `linger`: and goes on elsewhere when this ends."""
        self._light += 1
        try:
            yield
        finally:
            self._light -= 1
            if linger:
                self._until = trio.current_time() + LINGER
            elif not self.taken:
                for event in self._waiting:
                    event.set()

    async def clear(self, event: trio.Event | None = None) -> None:
        """Return when nothing light is under way, or `event` is set, or after PATIENCE seconds. No
        checkpoint where that is so already."""
        if not self.taken:
            return
        event = trio.Event() if event is None else event
        self._waiting.add(event)
        try:
            with trio.move_on_after(PATIENCE if self._light else LINGER):
                await event.wait()
        finally:
            self._waiting.discard(event)

    @asynccontextmanager
    async def heavy(self, devices: int) -> AsyncIterator[None]:
        """A piece of work for so many devices, heavy if they are more than FEW. While something
        light is under way, heavy ones come one at a time, each in a turn of the loop of its own."""
        if devices <= FEW:
            yield
            return
        if not self.taken and not self._turn.locked():
            await trio.lowlevel.checkpoint()
            yield
            return
        async with self._turn:
            await self.clear()
            yield


_OF_LOOP: trio.lowlevel.RunVar[Precedence] = trio.lowlevel.RunVar("precedence")


def precedence() -> Precedence:
    """That of the running event loop."""
    try:
        return _OF_LOOP.get()
    except LookupError:
        found = Precedence()
        _OF_LOOP.set(found)
        return found

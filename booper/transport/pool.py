"""A pool: one queue of sendings in front of a fleet of connections to one endpoint.

Whoever has room takes from the queue: a connection right after it heard something, or, when new
work comes, the one with the fewest requests in flight. All of it happens in the pool's own tasks;
a caller only puts its sending into the queue, rings, and sleeps until its last answer is there.
So many callers in one tick of the scheduler still make one write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import trio

from booper.transport.bell import Bell
from booper.transport.deadlines import Deadlines
from booper.transport.fleet import Fleet
from booper.transport.queue import Queue
from booper.transport.sending import Sending
from booper.transport.statistics import PoolStatistics
from booper.wire import Lost

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from booper.ports import Dice
    from booper.transport.dial import Dial
    from booper.wire import Answer, Endpoint, Stamp, Template

CLOSED = Lost(sent=False, reason="closed", detail="the pool is closed")


class Pool:
    """The connections of one owner to one endpoint (see `ports.Pool` for what it promises)."""

    def __init__(self, endpoint: Endpoint, *, dial: Dial, dice: Dice) -> None:
        self._bell = Bell()
        self._queue = Queue()
        self._deadlines = Deadlines()
        self._fleet = Fleet(endpoint, self._queue, self._bell, dial=dial, dice=dice)
        self._scope = trio.CancelScope()
        self._running = False
        self._closing = False
        self._ended = trio.Event()

    # -- for callers

    async def send(
        self, template: Template, stamps: Sequence[Stamp], *, timeout: float
    ) -> list[Answer]:
        """One answer per stamp, in order (`ports.Pool.send`); `run` must be running.

        ValueError: the template holds what HTTP/2 does not allow, or a stamp does not bring one
        value for each header the template stamps.
        """
        width = len(template.stamped)
        if {len(stamp[1]) for stamp in stamps} - {width}:
            raise ValueError("a stamp must bring one value for each stamped header")
        sending = Sending(template, stamps, self._queue.returned)
        if not stamps or self._closing:
            await trio.lowlevel.checkpoint()
            sending.drop(CLOSED)
            return cast("list[Answer]", sending.answers)
        self._queue.put(sending)
        self._bell.ring()
        slot = self._deadlines.add(sending, timeout)
        try:
            await sending.finished()
        finally:
            self._deadlines.remove(sending, slot)
            if sending.left:
                self._give_up((sending,), "cancelled")
        if sending.mistake is not None:
            raise sending.mistake
        return cast("list[Answer]", sending.answers)

    async def warm(self, *, timeout: float) -> Lost | None:
        """None as soon as a connection is ready, opening one if there is none; else why not."""
        with trio.move_on_after(timeout):
            await trio.lowlevel.checkpoint()
            if self._closing:
                return CLOSED
            if self._fleet.ready:
                return None
            attempt = self._fleet.attempt
            self._fleet.warming = True
            self._bell.ring()
            await attempt.over.wait()
            return attempt.failure
        late = f"no connection within {timeout:g} s"
        return Lost(sent=False, reason="connect_failed", detail=late)

    async def aclose(self) -> None:
        """Take nothing more, let what is in flight and in the queue end, close every connection.

        When cancelled it closes at once; what was open becomes Lost.
        """
        self._close()
        if not self._running:
            self._finish()
        try:
            await self._ended.wait()
        finally:
            self._scope.cancel()

    def statistics(self) -> PoolStatistics:
        """How it stands at this moment."""
        fleet = self._fleet
        return PoolStatistics(
            connections=len(fleet.ready),
            opening=fleet.opening,
            draining=sum(c.draining for c in fleet.connections),
            in_flight=fleet.in_flight,
            queued=self._queue.count,
            opened=fleet.opened,
            closed=fleet.closed,
            failed=fleet.failed,
            replayed=self._queue.replayed,
        )

    # -- its own life

    async def run(self) -> None:
        """Keep the connections until `aclose` is through (`ports.PoolRunner.run`)."""
        self._running = True
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._fleet.run)
                    nursery.start_soon(self._deadlines.run, self._expire)
                    while not (self._closing and not self._queue.count and not self._busy):
                        await self._bell.wait()
                        self._fleet.load()
                    nursery.cancel_scope.cancel()
        finally:
            self._finish()

    @property
    def _busy(self) -> bool:
        return self._fleet.in_flight > 0

    def _close(self) -> None:
        self._closing = self._fleet.closing = True
        self._bell.ring()

    def _finish(self) -> None:
        self._close()
        self._running = False
        self._queue.fail(CLOSED)
        self._fleet.attempted(CLOSED)
        self._ended.set()

    def _expire(self, late: Collection[Sending]) -> None:
        self._give_up(late, "deadline")
        for sending in late:
            sending.wake()

    def _give_up(self, sendings: Collection[Sending], reason: str) -> None:
        for sending in sendings:
            sending.end()
            self._queue.remove(sending, Lost(sent=False, reason=reason))
        in_flight = [sending for sending in sendings if sending.left]
        if in_flight:
            self._fleet.cancel(in_flight, reason)
        self._bell.ring()

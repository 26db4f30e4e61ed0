"""A pool: one queue of sendings in front of the connections of one endpoint.

Whoever has room takes from the queue: a connection right after it heard something, or, when new
work comes, the one with the fewest requests in flight. All of it happens in the pool's own tasks;
a caller only puts its sending into the queue, rings, and sleeps until its last answer is there.
So many callers in one tick of the scheduler still make one write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import trio

from booper.transport.bell import Bell
from booper.transport.connection import Connection
from booper.transport.deadlines import Deadlines
from booper.transport.decisions import UNKNOWN, Load, surplus, wanted
from booper.transport.dial import Dial, DialError
from booper.transport.queue import Queue
from booper.transport.sending import Sending
from booper.transport.statistics import PoolStatistics
from booper.wire import Lost

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from booper.http2 import Batch
    from booper.ports import Dice
    from booper.wire import Answer, Endpoint, Stamp, Template

SHRINK_EVERY = 30.0  # seconds over which the peak of requests in flight is taken
HOLD = 5.0  # seconds without another try, after a pool that works failed to grow
PATIENCE = 2  # connections in a row that end without one answer, until what waits is given back
CLOSED = Lost(sent=False, reason="closed", detail="the pool is closed")


class _Attempt:
    """What the next try to connect will bring, for those who wait for it."""

    def __init__(self) -> None:
        self.over = trio.Event()
        self.failure: Lost | None = None


class Pool:
    """The connections of one owner to one endpoint (see `ports.Pool` for what it promises)."""

    def __init__(self, endpoint: Endpoint, *, dial: Dial, dice: Dice) -> None:
        self._endpoint = endpoint
        self._dial = dial
        self._dice = dice
        self._bell = Bell()
        self._queue = Queue()
        self._deadlines = Deadlines()
        self._connections: list[Connection] = []
        self._replacing: set[Connection] = set()
        self._scope = trio.CancelScope()
        self._nursery: trio.Nursery | None = None
        self._closing = False
        self._ended = trio.Event()
        self._attempt = _Attempt()
        self._warming = False
        self._held = float("-inf")
        self._turned_away = 0
        self._streams = UNKNOWN
        self._peak = 0
        self._opening = self._opened = self._closed = self._failed = 0

    # -- for callers

    async def send(
        self,
        template: Template,
        stamps: Sequence[Stamp],
        *,
        timeout: float,
    ) -> list[Answer]:
        """One answer per stamp, in order (`ports.Pool.send`).

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
                self._give_up(sending, "cancelled")
        if sending.mistake is not None:
            raise sending.mistake
        return cast("list[Answer]", sending.answers)

    async def warm(self, *, timeout: float) -> Lost | None:
        """None as soon as a connection is ready, opening one if there is none; else why not."""
        with trio.move_on_after(timeout):
            await trio.lowlevel.checkpoint()
            if self._closing:
                return CLOSED
            if self._ready():
                return None
            attempt = self._attempt
            self._warming = True
            self._bell.ring()
            await attempt.over.wait()
            return attempt.failure
        late = f"no connection within {timeout:g} s"
        return Lost(sent=False, reason="connect_failed", detail=late)

    async def aclose(self) -> None:
        """Take nothing more, let what is in flight and in the queue end, close every connection.

        When cancelled it closes at once; what was open becomes Lost.
        """
        self._closing = True
        self._bell.ring()
        if self._nursery is None:
            self._finish()
        try:
            await self._ended.wait()
        finally:
            self._scope.cancel()

    def statistics(self) -> PoolStatistics:
        """How it stands at this moment."""
        ready = len(self._ready())
        return PoolStatistics(
            connections=ready,
            opening=self._opening,
            draining=sum(c.draining for c in self._connections),
            in_flight=self._in_flight(),
            queued=self._queue.count,
            opened=self._opened,
            closed=self._closed,
            failed=self._failed,
            replayed=self._queue.replayed,
        )

    # -- its own life

    async def run(self) -> None:
        """Keep the connections until `aclose` is through (`ports.PoolRunner.run`)."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    nursery.start_soon(self._shrink)
                    nursery.start_soon(self._deadlines.run, self._expire)
                    while not (self._closing and not self._queue.count and not self._in_flight()):
                        self._pump()
                        await self._bell.wait()
                    nursery.cancel_scope.cancel()
        finally:
            self._finish()

    def _finish(self) -> None:
        self._closing = True
        self._nursery = None
        self._queue.fail(CLOSED)
        self._attempted(CLOSED)
        self._ended.set()

    def _pump(self) -> None:
        """Hand the queue to those with the least in flight; open connections if all are full."""
        queue = self._queue
        if queue.count and self._connections:
            while queue.count and (free := [c for c in self._connections if c.room > 0]):
                queue.hand(min(free, key=_load))
            self._peak = max(self._peak, self._in_flight())
        self._grow()

    def _grow(self) -> None:
        ready = self._ready()
        load = Load(
            queued=self._queue.count,
            ready=len(ready),
            opening=self._opening,
            draining=sum(c.draining for c in self._connections),
            proving=any(c.proving for c in ready),
            streams=self._streams,
            cap=self._endpoint.max_connections,
        )
        count = 0 if ready and trio.current_time() < self._held else wanted(load)
        if self._warming and not ready and not self._opening:
            count = 1
        for _ in range(count):
            self._open(None)

    async def _shrink(self) -> None:
        while True:
            await trio.sleep(min(SHRINK_EVERY, self._endpoint.idle_timeout))
            peak, self._peak = self._peak, self._in_flight()
            ready = self._ready()
            if surplus(peak, len(ready), self._streams):
                ready[0].retire()

    def _open(self, replaced: Connection | None) -> None:
        if self._nursery is not None:
            self._opening += 1
            self._nursery.start_soon(self._keep, replaced)

    async def _keep(self, replaced: Connection | None) -> None:
        """One connection, from dialling to its end."""
        ready_by = trio.current_time() + self._endpoint.connect_timeout
        connection: Connection | None = None
        why = "closed"
        try:
            line = await self._dial(self._endpoint)
            connection = Connection(line, self._endpoint, self, self._dice, replaced)
            self._connections.append(connection)
            await connection.run(ready_by)
            why = connection.reason or why
        except DialError as error:
            why = str(error)
        finally:
            if replaced is not None:
                self._replacing.discard(replaced)
            if connection is not None:
                self._connections.remove(connection)
            if connection is None or not connection.settled:
                self._opening -= 1
                self._failed += 1
                self._refused(why)
            else:
                self._closed += 1
                self._count_turned_away(connection, why)
            self._bell.ring()

    def _count_turned_away(self, connection: Connection, why: str) -> None:
        """Notice a peer that lets us in and out again, before it becomes a loop."""
        if connection.answered:
            self._turned_away = 0
        elif connection.turned_away:
            self._turned_away += 1
            if self._turned_away >= PATIENCE:
                self._refused(why)

    def _refused(self, why: str) -> None:
        failure = Lost(sent=False, reason="connect_failed", detail=why)
        self._attempted(failure)
        if self._ready():
            self._held = trio.current_time() + HOLD
        else:
            self._queue.fail(failure)

    def _attempted(self, failure: Lost | None) -> None:
        attempt, self._attempt = self._attempt, _Attempt()
        self._warming = False
        attempt.failure = failure
        attempt.over.set()

    # -- what its connections tell it (connection.Owner)

    def ready(self, connection: Connection) -> None:
        """A connection has become usable."""
        self._opening -= 1
        self._opened += 1
        self._streams = max(1, connection.streams)
        self._attempted(None)
        if connection.replaces is not None:
            connection.replaces.retire()
        self._bell.ring()

    def settle(self, finished: Iterable[Batch]) -> None:
        """Wake whoever has all answers, queue again what came back."""
        for sending in cast("Iterable[Sending]", finished):
            sending.wake()
        if self._queue.reclaim() or self._closing:
            self._bell.ring()

    def refill(self, connection: Connection) -> None:
        """Give a connection that heard something more to do."""
        if self._queue.count:
            self._queue.fill(connection)
            if connection.draining:
                self._bell.ring()

    def aged(self, connection: Connection) -> None:
        """Retire an old connection: at once if nobody needs it, else when another is there."""
        if not connection.open_streams and not self._queue.count:
            connection.retire()
        elif connection not in self._replacing:
            self._replacing.add(connection)
            self._open(connection)

    # -- small things

    def _expire(self, sending: Sending) -> None:
        self._give_up(sending, "deadline")
        sending.wake()

    def _give_up(self, sending: Sending, reason: str) -> None:
        sending.end()
        self._queue.remove(sending, Lost(sent=False, reason=reason))
        for connection in list(self._connections):
            connection.cancel(sending, reason)
        self._bell.ring()

    def _ready(self) -> list[Connection]:
        return [c for c in self._connections if c.settled and not c.draining]

    def _in_flight(self) -> int:
        return sum(c.open_streams for c in self._connections)


def _load(connection: Connection) -> int:
    return connection.open_streams

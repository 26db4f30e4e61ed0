"""The connections of one pool: how many there are, how they come and go, what they tell.

It decides nothing about requests; it hands each connection what waits in the queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import trio

from booper.transport.connection import Connection
from booper.transport.decisions import UNKNOWN, Load, surplus, wanted
from booper.transport.dial import Dial, DialError
from booper.wire import Lost

if TYPE_CHECKING:
    from collections.abc import Iterable

    from booper.http2 import Batch
    from booper.ports import Dice
    from booper.transport.bell import Bell
    from booper.transport.queue import Queue
    from booper.transport.sending import Sending
    from booper.wire import Endpoint

SHRINK_EVERY = 30.0  # seconds over which the peak of requests in flight is taken
HOLD = 5.0  # seconds without another try, after a fleet that works failed to grow
PATIENCE = 2  # connections in a row that end without one answer, until what waits is given back


class Attempt:
    """What the next try to connect will bring, for those who wait for it."""

    def __init__(self) -> None:
        self.over = trio.Event()
        self.failure: Lost | None = None


class Fleet:
    """All connections to one endpoint. Rings `bell` whenever the queue should be looked at."""

    def __init__(
        self, endpoint: Endpoint, queue: Queue, bell: Bell, *, dial: Dial, dice: Dice
    ) -> None:
        self._endpoint = endpoint
        self._queue = queue
        self._bell = bell
        self._dial = dial
        self._dice = dice
        self._nursery: trio.Nursery | None = None
        self._replacing: set[Connection] = set()
        self._held = float("-inf")
        self._turned_away = 0
        self._streams = UNKNOWN
        self._peak = 0
        self.connections: list[Connection] = []
        self.attempt = Attempt()
        self.closing = False
        self.warming = False
        """Somebody wants a connection although nothing waits."""
        self.opening = self.opened = self.closed = self.failed = 0

    @property
    def ready(self) -> list[Connection]:
        """Those that may be used, the oldest first."""
        return [c for c in self.connections if c.settled and not c.draining]

    @property
    def in_flight(self) -> int:
        """Requests sent and not answered."""
        return sum(c.open_streams for c in self.connections)

    async def run(self) -> None:
        """Give the connections a place to live, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._bell.ring()  # what came before this could not be served
            try:
                await self._shrink()
            finally:
                self._nursery = None

    def load(self) -> None:
        """Hand what waits to those with the least in flight; open others if all are full."""
        queue = self._queue
        if queue.count and self.connections:
            while queue.count and (free := [c for c in self.connections if c.room > 0]):
                queue.hand(min(free, key=_load))
            self._peak = max(self._peak, self.in_flight)
        self._grow()

    def cancel(self, sendings: Iterable[Sending], reason: str) -> None:
        """Reset whatever of these is open anywhere."""
        for connection in list(self.connections):
            connection.cancel(sendings, reason)

    def attempted(self, failure: Lost | None) -> None:
        """Tell who waits for a connection."""
        attempt, self.attempt = self.attempt, Attempt()
        self.warming = False
        attempt.failure = failure
        attempt.over.set()

    # -- how many

    def _grow(self) -> None:
        ready = self.ready
        load = Load(
            queued=self._queue.count,
            ready=len(ready),
            opening=self.opening,
            draining=sum(c.draining for c in self.connections),
            proving=any(c.proving for c in ready),
            streams=self._streams,
            cap=self._endpoint.max_connections,
        )
        count = 0 if ready and trio.current_time() < self._held else wanted(load)
        if self.warming and not ready and not self.opening:
            count = 1
        for _ in range(count):
            self._open(None)

    async def _shrink(self) -> None:
        while True:
            await trio.sleep(min(SHRINK_EVERY, self._endpoint.idle_timeout))
            peak, self._peak = self._peak, self.in_flight
            ready = self.ready
            if surplus(peak, len(ready), self._streams):
                ready[0].retire()

    # -- how they come and go

    def _open(self, replaced: Connection | None) -> None:
        if self._nursery is not None:
            self.opening += 1
            self._nursery.start_soon(self._keep, replaced)

    async def _keep(self, replaced: Connection | None) -> None:
        """One connection, from dialling to its end."""
        ready_by = trio.current_time() + self._endpoint.connect_timeout
        connection: Connection | None = None
        why = "closed"
        try:
            line = await self._dial(self._endpoint)
            connection = Connection(line, self._endpoint, self, self._dice, replaced)
            self.connections.append(connection)
            await connection.run(ready_by)
            why = connection.reason or why
        except DialError as error:
            why = str(error)
        finally:
            if replaced is not None:
                self._replacing.discard(replaced)
            if connection is not None:
                self.connections.remove(connection)
            if connection is None or not connection.settled:
                self.opening -= 1
                self.failed += 1
                self._refused(why)
            else:
                self.closed += 1
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
        self.attempted(failure)
        if self.ready:
            self._held = trio.current_time() + HOLD
        else:
            self._queue.fail(failure)

    # -- what they tell (connection.Owner)

    def usable(self, connection: Connection) -> None:
        """A connection has become usable."""
        self.opening -= 1
        self.opened += 1
        self._streams = max(1, connection.streams)
        self.attempted(None)
        if connection.replaces is not None:
            connection.replaces.retire()
        self._bell.ring()

    def settle(self, finished: Iterable[Batch]) -> None:
        """Wake whoever has all answers, queue again what came back."""
        for sending in cast("Iterable[Sending]", finished):
            sending.wake()
        if self._queue.reclaim() or self.closing:
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


def _load(connection: Connection) -> int:
    return connection.open_streams

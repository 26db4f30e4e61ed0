"""Fan-out: turns each accepted notification's audience into batches, a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
import trio

from booper.domain.errors import Unavailable
from booper.store import fanouts
from booper.workers import names
from booper.workers.messages import Spread, Wake, hint
from booper.workers.round import Round

if TYPE_CHECKING:
    from booper.domain.routing import Router
    from booper.ports import Ports
    from booper.settings import Delivery
    from booper.workers.desk import Desk

log = structlog.get_logger()

LANES = 2  # pages at once: a campaign's, and what comes meanwhile
SOON = 0.01  # seconds between two looks for what is due


class Fanout(Round):
    """Pages of all waiting notifications in turn, so that a large audience delays no small one.

    What a small one becomes goes straight to its instance, where that can be.
    """

    def __init__(self, ports: Ports, router: Router, desk: Desk, delivery: Delivery) -> None:
        super().__init__(delivery, LANES)
        self._ports = ports
        self._router = router
        self._desk = desk
        self._after = 0

    async def init(self) -> None:
        await super().init()
        self.stand(self._queue)

    async def step(self) -> float:
        now = self._ports.clock.wall()
        express = self._desk.express(now)
        page = await self._ports.database.write(
            fanouts.advance, self._router, self._after, now, express
        )
        if page is None:
            return self.delivery.tick
        self._desk.expect(page.claimed, now)
        self._after = page.notification
        if page.waiting:
            hint(self.registry, names.DISPATCHER, Wake())
            hint(self.registry, names.LISTENER, Spread())
        for one in page.claimed:
            await self._desk.hand_over(one)
        return 0.0

    async def _queue(self) -> None:
        """Queue the scheduled ones when their time has come; look anew in a tick."""
        while True:
            pause = self.delivery.tick
            try:
                pause = await self._queue_due(self._ports.clock.wall())
            except Unavailable as error:
                log.error("schedule_waits", detail=error.detail)
            await trio.sleep(pause)

    async def _queue_due(self, now: float) -> float:
        """The seconds until the next one is due, or a tick."""
        database = self._ports.database
        due_at = await database.read(fanouts.first_due)
        if due_at is not None and due_at <= now:
            await database.write(fanouts.queue_due, now)
            self.wake()
            due_at = await database.read(fanouts.first_due)
        left = self.delivery.tick if due_at is None else due_at - now
        return max(min(left, self.delivery.tick), SOON)

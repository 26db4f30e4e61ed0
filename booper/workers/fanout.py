"""Fan-out: turns each accepted notification's audience into batches, a page at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import structlog
import trio

from booper.domain.errors import Unavailable
from booper.precedence import precedence
from booper.store import fanouts
from booper.workers import names
from booper.workers.messages import Spread, Wake, hint
from booper.workers.round import Round

if TYPE_CHECKING:
    from actors import Cast
    from booper.domain.routing import Router
    from booper.ports import Ports
    from booper.settings import Delivery
    from booper.workers.desk import Desk

log = structlog.get_logger()

LANES = 2  # pages at once: a campaign's, and what comes meanwhile
SOON = 0.01  # seconds between two looks for what is due
HEAVY = 64  # what a page of a large audience weighs in a commit


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
        self._news = 0  # how many came since the last step: they have their turn next
        self._large_until = -math.inf  # till then a step without news cuts a large audience
        self._cutting = False  # somebody is at it

    async def init(self) -> None:
        await super().init()
        self.stand(self._queue)

    async def handle_cast(self, message: Cast) -> None:
        if isinstance(message, Wake):
            self._news += 1
        await super().handle_cast(message)

    async def step(self) -> float:
        now = self._ports.clock.wall()
        news, self._news = self._news, 0
        if news or self._ports.clock.monotonic() >= self._large_until:
            # For a single one it is not worth it to look for more in the same transaction.
            with precedence().light(linger=True):
                return await self._advance(now, weight=1, turns=1 if news == 1 else fanouts.TURNS)
        if self._cutting:
            return math.inf  # the other lane does; this one is for what comes meanwhile
        self._cutting = True
        try:
            return await self._advance(now, weight=HEAVY, turns=fanouts.TURNS)
        finally:
            self._cutting = False

    async def _advance(self, now: float, *, weight: int, turns: int) -> float:
        write, express = self._ports.database.write, self._desk.express(now)
        page = await write(
            fanouts.advance, self._router, self._after, now, express, turns, weight=weight
        )
        if page is None:
            return self.delivery.tick
        if not page.last:
            self._large_until = self._ports.clock.monotonic() + self.delivery.tick
        self._after = page.notification
        if page.waiting:
            hint(self.registry, names.DISPATCHER, Wake())
            hint(self.registry, names.LISTENER, Spread())
        await self._desk.deliver(page.claimed, now)
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

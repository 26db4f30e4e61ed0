"""Fan-out: turns each accepted notification's audience into batches, a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.store import fanouts
from booper.workers import names
from booper.workers.messages import Spread, Wake, hint
from booper.workers.round import Round

if TYPE_CHECKING:
    from booper.domain.routing import Router
    from booper.ports import Ports
    from booper.settings import Delivery

LANES = 2  # pages at once: a campaign's, and what comes meanwhile


class Fanout(Round):
    """Pages of all waiting notifications in turn, so that a large audience delays no small one."""

    def __init__(self, ports: Ports, router: Router, delivery: Delivery) -> None:
        super().__init__(delivery, LANES)
        self._ports = ports
        self._router = router
        self._after = 0
        self._due_at = 0.0

    async def step(self) -> float:
        now = self._ports.clock.wall()
        if now >= self._due_at:
            await self._queue_due(now)
        page = await self._ports.database.write(fanouts.advance, self._router, self._after, now)
        if page is None:
            return max(self._due_at - now, 0.01)
        self._after = page.notification
        hint(self.registry, names.DISPATCHER, Wake())
        hint(self.registry, names.LISTENER, Spread())
        return 0.0

    async def _queue_due(self, now: float) -> None:
        """Scheduled ones whose time has come; the next look is when one is due, or in a tick."""
        database = self._ports.database
        due_at = await database.read(fanouts.first_due)
        if due_at is not None and due_at <= now:
            await database.write(fanouts.queue_due, now)
            due_at = await database.read(fanouts.first_due)
        tick = now + self.delivery.tick
        self._due_at = tick if due_at is None else min(due_at, tick)

"""Fan-out: turns each accepted notification's audience into batches, a page at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from booper.store import fanouts
from booper.workers import names
from booper.workers.messages import Wake, hint
from booper.workers.round import Round

if TYPE_CHECKING:
    from booper.domain.routing import Routes
    from booper.ports import Ports
    from booper.settings import Delivery


class Fanout(Round):
    """Pages of all waiting notifications in turn, so that a large audience delays no small one."""

    def __init__(self, ports: Ports, routes: Routes, delivery: Delivery) -> None:
        super().__init__(delivery)
        self._ports = ports
        self._routes = routes
        self._after = 0

    async def step(self) -> float:
        now = self._ports.clock.wall()
        page = await self._ports.database.write(fanouts.expand, self._routes, self._after, now)
        if page is None:
            return math.inf
        self._after = page.notification
        hint(self.registry, names.DISPATCHER, Wake())
        return 0.0

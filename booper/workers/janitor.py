"""Janitor: gives back the batches whose lease ran out, whoever died with them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import structlog

from booper.store import outbox
from booper.workers.round import Round

if TYPE_CHECKING:
    from booper.ports import Ports
    from booper.settings import Delivery

log = structlog.get_logger()


class Janitor(Round):
    """Sweeps once a tick."""

    def __init__(self, ports: Ports, delivery: Delivery) -> None:
        super().__init__(delivery)
        self._ports = ports

    async def step(self) -> float:
        now = self._ports.clock.wall()
        if await self._ports.database.read(outbox.expired, now):
            freed = await self._ports.database.write(outbox.release_expired, now)
            log.warning("leases_expired", batches=freed)
        return math.inf

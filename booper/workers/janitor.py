"""Janitor: gives back the batches whose lease ran out, finds another way for those whose instance
was deleted, and clears away what is old (see `sweeps.py`).

Every node has one; each of its duties is done by one of them at a time, under an advisory lock
that ends with the transaction: it works behind a pooler that shares connections, and there is no
leader whose death anybody has to notice.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import structlog

from booper.store import endings, nodes, outbox, poison, rerouting
from booper.workers import names
from booper.workers.duties import ENDS, LEASES, POISON, REROUTES
from booper.workers.messages import Wake, hint
from booper.workers.round import Round
from booper.workers.sweeps import Sweeps, sweeps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from booper.domain.routing import Router
    from booper.ports import Ports, Tx
    from booper.settings import Settings

T = TypeVar("T")

log = structlog.get_logger()

EVERY = 30.0  # seconds between two looks for batches that nobody could send in time
LOST = 2.0  # seconds between two looks for batches whose instance was deleted
LATE = 20  # of them ended in one transaction


class Janitor(Round):
    """Looks once a tick; every so often reroutes what waits for nobody, ends what nobody could
    send in time, and sweeps."""

    def __init__(self, ports: Ports, router: Router, settings: Settings) -> None:
        super().__init__(settings.delivery)
        self._ports = ports
        self._router = router
        self._lost_at = -math.inf
        self._late_at = -math.inf
        self._sweeps = Sweeps(ports.clock, sweeps(settings))

    async def step(self) -> float:
        now = self._ports.clock.wall()
        if await self._ports.database.read(outbox.expired, now):
            freed = await self._alone(LEASES, outbox.release_expired, now)
            if freed:
                log.warning("leases_expired", batches=freed)
                hint(self.registry, names.DISPATCHER, Wake())
        await self._park(now)
        if self._ports.clock.monotonic() >= self._lost_at:
            if await self._reroute(now):
                return 0.0  # there may be more
            self._lost_at = self._ports.clock.monotonic() + LOST
        if self._ports.clock.monotonic() >= self._late_at:
            lease = self._ports.ids.mint()
            late = await self._alone(ENDS, endings.late, lease, now, LATE)
            parked = await self._alone(POISON, poison.expire, now, LATE)
            if LATE in (late, parked):
                return 0.0  # there may be more
            self._late_at = self._ports.clock.monotonic() + EVERY
        return await self._sweeps.step(self._alone)

    async def _park(self, now: float) -> None:
        """Keep from the instances what their actors die of."""
        if await self._ports.database.read(poison.dead):
            parked = await self._alone(POISON, poison.park, now, LATE)
            if parked:
                log.error(
                    "batches_parked",
                    batches=parked,
                    detail="their holders died of them: see /api/admin/batches/parked",
                )

    async def _reroute(self, now: float) -> bool:
        """One step for each deleted instance that something waits for; whether anything moved."""
        moved = 0
        for key in await self._ports.database.read(rerouting.lost):
            moved += await self._alone(REROUTES, rerouting.reroute, self._router, key, now) or 0
        if moved:
            log.warning("batches_rerouted", batches=moved)
            hint(self.registry, names.DISPATCHER, Wake())
        return moved > 0

    async def _alone(self, duty: int, work: Callable[..., Awaitable[T]], *args: object) -> T | None:
        """What the work says; None where another node is at it now."""

        async def alone(tx: Tx) -> T | None:
            return await work(tx, *args) if await nodes.alone(tx, duty) else None

        return await self._ports.database.write(alone)

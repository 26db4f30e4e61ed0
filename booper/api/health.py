"""GET /healthz (the process lives; no I/O) and GET /readyz (it can take work now)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors import Ref
from booper.api.operation import Operations
from booper.domain.caller import Who
from booper.domain.errors import Unavailable
from booper.ports import Sql
from booper.workers import names

if TYPE_CHECKING:
    from booper.api.house import House
    from booper.ports import Tx

_ONE = Sql("SELECT 1", "SELECT 1")
_NEEDED = (names.KEEPER, names.FANOUT, names.DISPATCHER, names.JANITOR)

operations = Operations("health")


class Health(msgspec.Struct, frozen=True):
    """One word."""

    status: str


@operations.get("/healthz", answers={200: Health}, callers=Who.UNASKED)
async def alive() -> Health:
    """The process lives. Asks nobody else."""
    return Health("alive")


@operations.get(
    "/readyz",
    answers={200: Health},
    callers=Who.UNASKED,
    errors={503: ("stopping", "not_ready")},
)
async def ready(house: House) -> Health:
    """It can take work: its store answers, its workers run, and it is not stopping."""
    if house.stopping():
        raise Unavailable("Booper is stopping.", code="stopping")
    await house.ports.database.read(_look)
    away = [name for name in _NEEDED if Ref(house.registry, name).statistics() is None]
    if away:
        raise Unavailable(f"Not running: {', '.join(away)}.", code="not_ready")
    return Health("ready")


async def _look(tx: Tx) -> None:
    await tx.fetch(_ONE)

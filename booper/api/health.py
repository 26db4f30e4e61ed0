"""GET /healthz (the process lives; no I/O) and GET /readyz (it can take work now)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quart import Blueprint, Response

from actors import Ref
from booper.api.render import rendered
from booper.domain.errors import Unavailable
from booper.ports import Sql
from booper.workers import names

if TYPE_CHECKING:
    from booper.api.house import House
    from booper.ports import Tx

_ONE = Sql("SELECT 1", "SELECT 1")
_NEEDED = (names.KEEPER, names.FANOUT, names.DISPATCHER, names.JANITOR)


def routes(house: House) -> Blueprint:
    """The blueprint."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    async def alive() -> Response:
        return rendered({"status": "alive"})

    @blueprint.get("/readyz")
    async def ready() -> Response:
        if house.stopping():
            raise Unavailable("Booper is stopping.", code="stopping")
        await house.ports.database.read(_look)
        away = [name for name in _NEEDED if Ref(house.registry, name).statistics() is None]
        if away:
            raise Unavailable(f"Not running: {', '.join(away)}.", code="not_ready")
        return rendered({"status": "ready"})

    return blueprint


async def _look(tx: Tx) -> None:
    await tx.fetch(_ONE)

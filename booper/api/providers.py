"""Which providers an app's notifications can go out through, and through whose instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.api.apps import own
from booper.api.operation import Operations
from booper.domain.caller import Caller, Scope, Who
from booper.domain.wanted import OPERATOR
from booper.providers import PROVIDERS
from booper.workers.router import Way

if TYPE_CHECKING:
    from booper.api.house import House

operations = Operations("providers")


class Providers(msgspec.Struct, frozen=True):
    """Every provider there is, by name; `configured` false: notifications to its devices count as
    `not_configured`."""

    providers: list[Way]


@operations.get(
    "/api/apps/{app_id}/providers",
    answers={200: Providers},
    callers=Who.ACCOUNT | Who.APP,
    scope=Scope.READ,
)
async def of_app(house: House, caller: Caller, app_id: str) -> Providers:
    """What one of your apps can send through: its own instance, else the operator's default."""
    found = await house.ports.database.read(own, caller, app_id)
    return _ways(house, found.id)


@operations.get("/api/admin/providers", answers={200: Providers}, callers=Who.OPERATOR)
async def of_operator(house: House) -> Providers:
    """What public channels, and apps without instances of their own, send through."""
    return _ways(house, OPERATOR)


def _ways(house: House, tenant: str) -> Providers:
    way = house.registrar.router.way
    return Providers([way(tenant, provider) for provider in sorted(PROVIDERS)])

"""What a device says of a notification that reached it: it arrived, somebody opened it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.api.operation import Operations
from booper.api.render import nothing
from booper.domain.caller import DeviceCaller, Who
from booper.domain.errors import NotFound
from booper.store import confirmations

if TYPE_CHECKING:
    from quart import Response

    from booper.api.house import House
    from booper.ports import Tx

operations = Operations("confirmations")


@operations.post(
    "/api/notifications/{notification_id}/delivered", answers={204: None}, callers=Who.DEVICE
)
async def delivered(house: House, caller: DeviceCaller, notification_id: str) -> Response:
    """It arrived at this device. Again changes nothing."""
    return await _confirm(house, caller, notification_id, opened=False)


@operations.post(
    "/api/notifications/{notification_id}/opened", answers={204: None}, callers=Who.DEVICE
)
async def opened(house: House, caller: DeviceCaller, notification_id: str) -> Response:
    """Somebody opened it on this device, so it arrived, too. Again changes nothing."""
    return await _confirm(house, caller, notification_id, opened=True)


async def _confirm(
    house: House, caller: DeviceCaller, notification_id: str, *, opened: bool
) -> Response:
    async def write(tx: Tx) -> bool:
        now = house.ports.clock.wall()
        return await confirmations.confirm(tx, notification_id, caller.number, now, opened=opened)

    if not await house.ports.database.write(write):
        raise NotFound("There is no such thing.")
    return nothing()

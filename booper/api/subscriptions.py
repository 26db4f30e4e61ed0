"""POST /api/subscriptions: a device listens to a public channel, which is made if it is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from quart import Blueprint, Response

from booper.api import gate
from booper.api.render import rendered
from booper.domain.channel import channel_name
from booper.domain.errors import Invalid, NotFound
from booper.providers import spellings
from booper.store import channels, devices

if TYPE_CHECKING:
    from booper.api.house import House
    from booper.ports import Tx


class Subscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which device (by its id here or by its device token) listens to which channel."""

    channel: str
    device_id: str | None = None
    device_token: str | None = None


class Subscribed(msgspec.Struct, frozen=True):
    """The subscription; the same when asked for again."""

    id: str
    channel: str


def routes(house: House) -> Blueprint:
    """The blueprint."""
    blueprint = Blueprint("subscriptions", __name__)
    ports = house.ports

    @blueprint.post("/api/subscriptions")
    async def subscribe() -> Response:
        wanted = await gate.body(Subscription)
        name = channel_name(wanted.channel)
        if (wanted.device_id is None) == (wanted.device_token is None):
            raise Invalid("Name the device by device_id or by device_token.", code="which_device")
        own = await ports.database.write(_subscribe, wanted, name)
        return rendered(Subscribed(own, name), 201)

    async def _subscribe(tx: Tx, wanted: Subscription, name: str) -> str:
        now = ports.clock.wall()
        device = await _device(tx, wanted)
        channel = await channels.ensure(tx, ports.ids.mint(), name, now)
        (own,) = await channels.subscribe(tx, channel, [(device, ports.ids.mint())], now)
        return own

    async def _device(tx: Tx, wanted: Subscription) -> int:
        if wanted.device_id is not None:
            device = await devices.find(tx, gate.identifier(wanted.device_id))
            if device is None:
                raise NotFound("There is no such device.", code="unknown_device")
            return device
        token = wanted.device_token or ""
        found = [n for one in spellings(token) for n in await devices.find_by_token(tx, one)]
        if not found:
            raise NotFound("There is no such device.", code="unknown_device")
        if len(found) > 1:
            raise Invalid(
                "Several devices have this device_token: name one by device_id.",
                code="ambiguous_device",
                pointer="/device_token",
            )
        return found[0]

    return blueprint

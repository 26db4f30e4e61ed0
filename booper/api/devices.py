"""POST /api/devices: a device introduces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta
from quart import Blueprint, Response

from booper.api import gate
from booper.api.render import rendered
from booper.domain.errors import Invalid
from booper.providers import provider_named
from booper.store import devices
from booper.store.devices import Registration

if TYPE_CHECKING:
    from booper.api.house import House


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`instance`: the provider instance that sends to it, else its provider's default."""

    provider: Annotated[str, Meta(max_length=64)]
    device_token: Annotated[str, Meta(max_length=4096)]
    instance: Annotated[str, Meta(max_length=64)] = ""


class Registered(msgspec.Struct, frozen=True):
    """The device's id here; the same for the same device token."""

    id: str


def routes(house: House) -> Blueprint:
    """The blueprint."""
    blueprint = Blueprint("devices", __name__)

    @blueprint.post("/api/devices")
    async def register() -> Response:
        device = await gate.body(Device)
        token = provider_named(device.provider).device_token(device.device_token)
        if device.instance and house.routes.resolve(device.provider, device.instance) is None:
            raise Invalid(
                f"There is no {device.provider} instance {device.instance!r}.",
                code="unknown_instance",
                pointer="/instance",
            )
        ports = house.ports
        registration = Registration(ports.ids.mint(), device.provider, device.instance, token)
        (own,) = await ports.database.write(devices.register, [registration], ports.clock.wall())
        return rendered(Registered(own), 201)

    return blueprint

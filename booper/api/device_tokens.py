"""Device tokens as callers give them: in their one spelling, and only to places we may call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from booper.domain.errors import Invalid
from booper.providers import provider_named, spellings
from booper.providers.provider import Addressed

if TYPE_CHECKING:
    from booper.api.house import House

DeviceToken = Annotated[str, Meta(max_length=4096)]

WRONG = (
    "unknown_provider",
    "which_device_token",
    "invalid_device_token",
    "forbidden_url",
    "unknown_host",
)


class PushKeys(msgspec.Struct, frozen=True):
    """A push subscription's keys in base64url, as the browser gives them."""

    p256dh: Annotated[str, Meta(max_length=128)]
    auth: Annotated[str, Meta(max_length=64)]


class PushSubscription(msgspec.Struct, frozen=True):
    """What `PushSubscription.toJSON()` gives in a browser; other members are passed over."""

    endpoint: Annotated[str, Meta(max_length=2048)]
    keys: PushKeys


async def spelled(
    house: House,
    provider_name: str,
    device_token: str | None,
    subscription: PushSubscription | None,
) -> str:
    """The device token in its one spelling; if it is an address, one that may be called."""
    provider = provider_named(provider_name)
    if (device_token is None) == (subscription is None):
        pointer = "/device_token" if subscription is None else "/subscription"
        detail = "Give either a device_token or a subscription."
        raise Invalid(detail, code="which_device_token", pointer=pointer)
    place, text = "/device_token", device_token or ""
    if subscription is not None:
        place, text = "/subscription", msgspec.json.encode(subscription).decode()
    try:
        token = provider.device_token(text)
        where = provider.address(token) if isinstance(provider, Addressed) else None
        if where is not None:
            await house.ports.transport.guard.check(where[0], f"/device_token{where[1]}")
    except Invalid as error:
        pointer = place + error.pointer.removeprefix("/device_token")
        raise Invalid(error.detail, code=error.code, pointer=pointer) from None
    return token


async def fingerprints(house: House, device_token: str) -> list[str]:
    """What a device token may be found by when nobody says whose it is."""
    return [await house.ports.device_tokens.fingerprint(one) for one in spellings(device_token)]

"""/api/subscriptions/{subscription_id}: one, for its device and for the app whose channel it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType

from booper.api import rooms
from booper.api.operation import Operations
from booper.api.render import Moment, moment, nothing
from booper.domain.caller import Caller, DeviceCaller, Scope, Who
from booper.domain.errors import NotFound
from booper.store import subscriptions

if TYPE_CHECKING:
    from quart import Response

    from booper.api.house import House
    from booper.ports import Tx
    from booper.store.subscriptions import Subscription

operations = Operations("subscriptions")

_SEE = Who.DEVICE | Who.APP | Who.ACCOUNT | Who.OPERATOR


class SubscriptionView(msgspec.Struct, frozen=True):
    """That a device listens to a channel (by its name and its id). `muted`: nothing is sent for it.
    `gone_at`: the device's provider has called it dead. `user_id`, `identifier`: what the app calls
    whoever uses the device; null for all but the app."""

    id: str
    channel: str
    channel_id: str
    app_id: str | None
    device_id: str
    muted: bool
    created_at: Moment
    gone_at: Moment | None
    user_id: str | None
    identifier: str | None


class SubscriptionChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays."""

    muted: bool | UnsetType = UNSET


def view(found: Subscription) -> SubscriptionView:
    """A subscription as the app sees it."""
    return SubscriptionView(
        found.id,
        found.channel.name,
        found.channel.id,
        found.channel.app_id,
        found.device_id,
        found.muted,
        moment(found.created_at),
        moment(found.gone_at),
        found.user_id or None,
        found.identifier or None,
    )


async def own(tx: Tx, caller: Caller, subscription_id: str) -> Subscription:
    """The subscription, if it is the calling device's or to the caller's channel; else NotFound."""
    found = await subscriptions.one(tx, subscription_id)
    if isinstance(caller, DeviceCaller):
        if found is not None and found.device == caller.number:
            return found._replace(user_id="", identifier="")
    elif found is not None and rooms.owns(caller, found.channel):
        return found
    raise NotFound("There is no such thing.")


@operations.get(
    "/api/subscriptions/{subscription_id}",
    answers={200: SubscriptionView},
    callers=_SEE,
    scope=Scope.READ,
)
async def one(house: House, caller: Caller, subscription_id: str) -> SubscriptionView:
    """A subscription: your own, or one to a channel of your app."""
    return view(await house.ports.database.read(own, caller, subscription_id))


@operations.patch(
    "/api/subscriptions/{subscription_id}",
    body=SubscriptionChange,
    answers={200: SubscriptionView},
    callers=_SEE,
    scope=Scope.CHANNELS,
)
async def change(
    house: House, caller: Caller, subscription_id: str, body: SubscriptionChange
) -> SubscriptionView:
    """Mute a subscription, or hear of it again."""
    work = (caller, subscription_id, body)
    return view(await house.ports.database.write(_change, *work))


async def _change(
    tx: Tx, caller: Caller, subscription_id: str, body: SubscriptionChange
) -> Subscription:
    found = await own(tx, caller, subscription_id)
    if body.muted is UNSET:
        return found
    await subscriptions.mute(tx, found.id, muted=body.muted)
    return found._replace(muted=body.muted)


@operations.delete(
    "/api/subscriptions/{subscription_id}",
    answers={204: None},
    callers=_SEE,
    scope=Scope.CHANNELS,
)
async def delete(house: House, caller: Caller, subscription_id: str) -> Response:
    """End a subscription; where an app does it, the device is let in no more either."""
    await house.ports.database.write(_delete, caller, subscription_id)
    return nothing()


async def _delete(tx: Tx, caller: Caller, subscription_id: str) -> None:
    found = await own(tx, caller, subscription_id)
    shut = not isinstance(caller, DeviceCaller)
    await subscriptions.end(tx, found.channel.number, found.device, shut=shut)

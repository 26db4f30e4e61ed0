"""Subscribing to a channel and leaving it, under two addresses each; and who listens to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from booper.api import changes, rooms
from booper.api.changes import LIMITED
from booper.api.channel import MISSING, PART
from booper.api.pages import Listed, Page, listed
from booper.api.render import nothing
from booper.api.rooms import AppId  # noqa: TC001 - msgspec reads it
from booper.api.subscription import SubscriptionView, operations, view
from booper.domain.caller import Anonymous, AppKey, Caller, DeviceCaller, Scope, Who
from booper.domain.channel import channel_name, is_id, new_name
from booper.domain.errors import Conflict, Invalid, Malformed, NotFound, Refused
from booper.store import channels, subscriptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart import Response

    from booper.api.house import House
    from booper.api.rooms import Listener, Meant
    from booper.ports import Tx
    from booper.store.channels import Channel
    from booper.store.subscriptions import Subscription

_SEE = Who.ACCOUNT | Who.APP | Who.OPERATOR
_ERRORS = {
    404: ("unknown_device", "unknown_channel", "not_found"),
    422: ("invalid_channel_name", "which_channel", "which_device", "ambiguous_device"),
    429: LIMITED,
}
_SUBSCRIBE_ERRORS = {**_ERRORS, 409: ("too_many_subscriptions",)}


class Listening(rooms.Named, frozen=True, forbid_unknown_fields=True):
    """Which device, in which app, where the channel is an app's and named by its name."""

    app_id: AppId | None = None


class Subscribing(Listening, frozen=True, forbid_unknown_fields=True):
    """The same, and which channel: by its name or id as `channel`, its `name`, or `channel_id`."""

    channel: Annotated[str, Meta(max_length=64)] | None = None
    name: Annotated[str, Meta(max_length=64)] | None = None
    channel_id: Annotated[str, Meta(max_length=64)] | int | None = None


class Leaving(Subscribing, frozen=True, forbid_unknown_fields=True):
    """The same, or `everything` in place of a channel: all that the device listens to."""

    everything: bool = False


class Subscribed(msgspec.Struct, frozen=True):
    """The subscription; the same when asked for again. `channel`: its name."""

    id: str
    channel: str
    channel_id: str


class Of(Page, frozen=True, forbid_unknown_fields=True):
    """Of which channel, by its name or id, in which app."""

    channel: Annotated[str, Meta(max_length=64)] | None = None
    app_id: AppId | None = None


class InApp(Page, frozen=True, forbid_unknown_fields=True):
    """In which app, where the channel is named by its name."""

    app_id: AppId | None = None


def _ref(asked: Subscribing) -> str:
    """The channel that is asked for."""
    given = [one for one in (asked.channel, asked.name, asked.channel_id) if one is not None]
    if len(given) != 1:
        raise Invalid("Name one channel: channel.", code="which_channel", pointer="/channel")
    return str(given[0])


@operations.post(
    "/api/subscriptions",
    body=Subscribing,
    answers={201: Subscribed},
    callers=Who.ANYONE,
    scope=Scope.CHANNELS,
    errors=_SUBSCRIBE_ERRORS,
)
async def subscribe(house: House, caller: Caller, body: Subscribing) -> Subscribed:
    """Subscribe a device to a channel; again changes nothing. A new public channel is made.

    An app's channel takes the app's key or owner, for devices of the app; or a device that was let
    in by an access code.
    """
    return await _subscribed(house, caller, _ref(body), body)


@operations.post(
    "/api/channels/{channel}/subscribe",
    parts=PART,
    body=Listening,
    answers={201: Subscribed},
    callers=Who.ANYONE,
    scope=Scope.CHANNELS,
    errors=_SUBSCRIBE_ERRORS,
)
async def subscribe_to(house: House, caller: Caller, body: Listening, channel: str) -> Subscribed:
    """The same by the channel's own address."""
    return await _subscribed(house, caller, channel, body)


async def _subscribed(house: House, caller: Caller, ref: str, asked: Listening) -> Subscribed:
    await changes.count(house, caller)
    meant = await rooms.meant(house, asked)
    work = (house, caller, channel_name(ref), asked.app_id, meant)
    own, channel = await house.ports.database.write(_subscribe, *work)
    return Subscribed(own, channel.name, channel.id)


async def _subscribe(
    tx: Tx, house: House, caller: Caller, ref: str, app_id: str | None, meant: Meant
) -> tuple[str, Channel]:
    ports, most = house.ports, house.settings.public.max_subscriptions
    now = ports.clock.wall()
    who = await rooms.listener(tx, caller, meant)
    try:
        channel = await rooms.channel(tx, caller, ref, app_id, who, "/channel")
    except NotFound:
        if isinstance(caller, AppKey) or app_id is not None or is_id(ref):
            raise
        await channels.ensure(tx, ports.ids.mint(), new_name(ref), now)
        channel = await rooms.channel(tx, caller, ref)
    await rooms.member(tx, caller, channel, who)
    (own,) = await channels.subscribe(tx, channel.number, [(who.number, ports.ids.mint())], now)
    if await subscriptions.count(tx, who.number) > most:
        raise Conflict(
            f"A device listens to {most} channels at most.", code="too_many_subscriptions"
        )
    return own, channel


@operations.post(
    "/api/channels/{channel}/unsubscribe",
    parts=PART,
    body=Listening,
    answers={204: None},
    callers=Who.ANYONE,
    scope=Scope.CHANNELS,
    errors=_ERRORS,
)
async def unsubscribe(house: House, caller: Caller, body: Listening, channel: str) -> Response:
    """A device listens to that channel no more; again changes nothing."""
    return await _unsubscribed(house, caller, channel, body)


@operations.delete(
    "/api/subscriptions",
    body=Leaving,
    query=Leaving,
    answers={204: None},
    callers=Who.ANYONE,
    scope=Scope.CHANNELS,
    errors={**_ERRORS, 403: ("needs_device",)},
)
async def leave(house: House, caller: Caller, body: Leaving, query: Leaving) -> Response:
    """The same; or a device leaves all that it listens to. Said in the query or in the body."""
    asked = body if query == Leaving() else query
    if query != Leaving() != body:
        raise Malformed("Say it in the query or in the body, not in both.", code="invalid_query")
    if not asked.everything:
        return await _unsubscribed(house, caller, _ref(asked), asked)
    if (asked.channel, asked.name, asked.channel_id) != (None, None, None):
        raise Invalid("Name a channel, or everything.", code="which_channel", pointer="/everything")
    await changes.count(house, caller)
    meant = await rooms.meant(house, asked)
    await house.ports.database.write(_leave_all, caller, meant)
    return nothing()


async def _leave_all(tx: Tx, caller: Caller, meant: Meant) -> None:
    if not isinstance(caller, DeviceCaller | Anonymous):
        raise Refused("Only the device itself leaves everything.", code="needs_device")
    who = await rooms.listener(tx, caller, meant)
    if not who.addressed:
        raise Refused("Say it by the device_token, or as the device.", code="needs_device")
    await subscriptions.end_all(tx, who.number, all_of_it=who.proved)


async def _unsubscribed(house: House, caller: Caller, ref: str, asked: Listening) -> Response:
    await changes.count(house, caller)
    meant = await rooms.meant(house, asked)
    await house.ports.database.write(_unsubscribe, caller, channel_name(ref), asked.app_id, meant)
    return nothing()


async def _unsubscribe(tx: Tx, caller: Caller, ref: str, app_id: str | None, meant: Meant) -> None:
    who: Listener = await rooms.listener(tx, caller, meant)
    channel = await rooms.channel(tx, caller, ref, app_id, who, "/channel")
    await rooms.member(tx, caller, channel, who)
    shut = rooms.owns(caller, channel) and not isinstance(caller, DeviceCaller)
    await subscriptions.end(tx, channel.number, who.number, shut=shut)


@operations.get(
    "/api/subscriptions",
    query=Of,
    answers={200: Listed[SubscriptionView]},
    callers=_SEE,
    scope=Scope.READ,
    errors={
        **MISSING,
        403: ("not_your_channel",),
        422: ("invalid_channel_name", "which_channel"),
    },
)
async def index(house: House, caller: Caller, query: Of) -> Response:
    """Who listens to a channel of your app."""
    if query.channel is None:
        raise Invalid("Name one channel: channel.", code="which_channel", pointer="/channel")
    return await _subscribers(house, caller, query, query.channel, query.app_id)


@operations.get(
    "/api/channels/{channel}/subscribers",
    parts=PART,
    query=InApp,
    answers={200: Listed[SubscriptionView]},
    callers=_SEE,
    scope=Scope.READ,
    errors={**MISSING, 403: ("not_your_channel",)},
)
async def subscribers(house: House, caller: Caller, query: InApp, channel: str) -> Response:
    """The same by the channel's own address."""
    return await _subscribers(house, caller, query, channel, query.app_id)


async def _subscribers(
    house: House, caller: Caller, query: Page, ref: str, app_id: str | None
) -> Response:
    database = house.ports.database
    found = rooms.owned(caller, await database.read(rooms.channel, caller, ref, app_id))

    async def fetch(after: str, limit: int) -> Sequence[Subscription]:
        return await database.read(subscriptions.page, found.number, after, limit)

    return await listed(house, caller, query, fetch, view)

"""/api/channels: public ones, held by whoever made them, and those of an app."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.api import changes, etag, rooms, senders
from booper.api.changes import LIMITED
from booper.api.channel_views import ChannelAsked, ChannelMade, ChannelView, Wanted, view
from booper.api.operation import Operations
from booper.api.pages import Listed, listed
from booper.api.render import rendered
from booper.domain import credential
from booper.domain.caller import AppKey, Caller, DeviceCaller, Operator, Scope, SessionCaller, Who
from booper.domain.channel import new_name
from booper.domain.errors import Conflict, Invalid, Malformed
from booper.store import apps, channels, subscriptions
from booper.store.channels import Channel, NewChannel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart import Response

    from booper.api.house import House
    from booper.api.rooms import Meant
    from booper.domain.credential import Credential
    from booper.ports import Tx
    from booper.store.subscriptions import Heard

operations = Operations("channels")


@operations.get(
    "/api/channels",
    query=Wanted,
    answers={200: Listed[ChannelView]},
    callers=Who.ANYONE,
    scope=Scope.READ,
    errors={
        400: ("missing_device_token",),
        422: ("missing_app_id", "ambiguous_device"),
        429: LIMITED,
    },
)
async def index(house: House, caller: Caller, query: Wanted) -> Response:
    """The channels that a device listens to or was let into; or those of your app.

    Of a device or an app that is not there, or not yours to see, there are none.
    """
    app_id = query.app_id.lower() if query.app_id is not None else None
    if isinstance(caller, AppKey):
        app_id = app_id or caller.app
    by_device = isinstance(caller, DeviceCaller) or query.device_token is not None
    if not by_device:
        _check(caller, app_id)
    if by_device or not isinstance(caller, SessionCaller):
        await changes.count(house, caller)
    database, meant = house.ports.database, await rooms.meant(house, query.named)

    async def of_device(after: str, limit: int) -> Sequence[Heard]:
        return await database.read(_of_device, caller, meant, app_id or "", after, limit)

    async def of_app(after: str, limit: int) -> Sequence[Channel]:
        return await database.read(_of_app, caller, app_id or "", after, limit)

    if by_device:
        return await listed(house, caller, query, of_device, lambda one: view(one.channel, one))
    return await listed(house, caller, query, of_app, view)


def _check(caller: Caller, app_id: str | None) -> None:
    if app_id is not None and isinstance(caller, AppKey | SessionCaller | Operator):
        return
    if isinstance(caller, SessionCaller | Operator):
        raise Invalid("Say which app: app_id.", code="missing_app_id", pointer="/app_id")
    raise Malformed(
        "Say which device: device_token.", code="missing_device_token", pointer="/device_token"
    )


async def _of_device(
    tx: Tx, caller: Caller, meant: Meant, app_id: str, after: str, limit: int
) -> list[Heard]:
    proved = isinstance(caller, DeviceCaller)
    if proved:
        found = [(await rooms.listener(tx, caller, meant)).number]
    else:
        found = await rooms.addressed(tx, meant)
    if not found:
        return []
    if len(found) > 1:
        await rooms.listener(tx, caller, meant)  # raises
    app = await apps.reachable(tx, caller, app_id) if app_id else None
    if isinstance(caller, AppKey) and app is None:
        return []
    whole = proved or app is not None
    return await subscriptions.heard(tx, found[0], app_id, after, limit, all_of_it=whole)


async def _of_app(tx: Tx, caller: Caller, app_id: str, after: str, limit: int) -> list[Channel]:
    if isinstance(caller, Operator):
        app = await apps.find(tx, app_id)
    else:
        app = await apps.reachable(tx, caller, app_id)
    return [] if app is None else await channels.page(tx, app.number, after, limit)


@operations.post(
    "/api/channels",
    body=ChannelAsked,
    answers={201: ChannelMade},
    callers=Who.ANYONE,
    scope=Scope.CHANNELS,
    errors={
        404: ("not_found",),
        409: ("channel_exists", "too_many_channels"),
        422: ("invalid_channel_name", "publish_key_is_public"),
        429: LIMITED,
    },
)
async def create(house: House, caller: Caller, body: ChannelAsked) -> Response:
    """A new channel: of your app, or a public one, whose secret is shown to you this once.

    Public channels also come into being by themselves, when somebody first subscribes; such a one
    is nobody's.
    """
    name, ports = new_name(body.name, "/name"), house.ports
    await changes.count(house, caller)
    app = await senders.sender(house, caller, body.app_id)
    if app is not None and body.publish_key:
        raise Invalid(
            "In an app's channels nobody publishes but the app.",
            code="publish_key_is_public",
            pointer="/publish_key",
        )
    secret = minted(house, credential.CHANNEL) if app is None else None
    key = minted(house, credential.PUBLISH) if body.publish_key else None
    place = None if app is None else app.place
    new = NewChannel(ports.ids.mint(), name, body.title, place, secret, key)
    most = house.settings.accounts.max_channels
    made = await ports.database.write(_create, new, most, ports.clock.wall())
    shown = ChannelMade(
        **msgspec.structs.asdict(view(made)),
        secret=None if secret is None else secret.spelled().reveal(),
        key=None if key is None else key.spelled().reveal(),
    )
    headers = {"ETag": etag.tag(made.version), "Location": f"/api/channels/{made.id}"}
    return rendered(shown, 201, headers)


def minted(house: House, kind: str) -> Credential:
    """A new credential of that kind."""
    return credential.minted(kind, house.ports.ids.secret(credential.ENTROPY))


async def _create(tx: Tx, new: NewChannel, most: int, now: float) -> Channel:
    if new.app is not None:
        await apps.lock(tx, new.app[0])
        if await channels.count(tx, new.app[0]) >= most:
            raise Conflict(f"An app has at most {most} channels.", code="too_many_channels")
    made = await channels.create(tx, new, now)
    if made is None:
        raise Conflict("There is a channel of that name.", code="channel_exists", pointer="/name")
    return made

"""/api/notifications: what was said, what became of it, device by device; and cancelling it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.api import feeds, publishing, senders
from booper.api.changes import LIMITED
from booper.api.feeds import Filter
from booper.api.notification_views import ProgressView, shown, told
from booper.api.operation import Operations
from booper.api.pages import Listed, Page, listed
from booper.api.render import Moment, moment
from booper.domain.caller import Caller, DeviceCaller, Operator, Scope, Who
from booper.domain.channel import channel_name
from booper.domain.errors import Conflict, Malformed, NotFound
from booper.domain.notification import UNSAID
from booper.store import audiences, channels, deliveries, notifications

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart import Response

    from booper.api.house import House
    from booper.api.senders import Sender
    from booper.domain.notification import Progress
    from booper.ports import Tx
    from booper.store.deliveries import Delivery

operations = Operations("notifications")


class DeliveryView(msgspec.Struct, frozen=True):
    """What became of one device: `reason` and `status` in the provider's own words; `delivered_at`
    and `opened_at` as the device said itself."""

    device_id: str | None
    outcome: str
    status: int
    reason: str
    provider_id: str
    attempt: int
    finished_at: Moment
    delivered_at: Moment | None
    opened_at: Moment | None


@operations.get(
    "/api/notifications",
    query=Filter,
    answers={200: Listed[ProgressView]},
    callers=Who.ANYONE,
    scope=Scope.READ,
    errors={
        400: ("which_notifications",),
        404: ("not_found", "unknown_channel"),
        422: ("invalid_channel_name", "ambiguous_device"),
        429: LIMITED,
    },
)
async def index(house: House, caller: Caller, query: Filter) -> Response:
    """What was said in a channel or by an app, newest first; or to a device, in all the channels
    that it may see (narrowed by `channel` and `app_id`)."""
    if isinstance(caller, DeviceCaller) or query.device_token is not None:
        return await feeds.feed(house, caller, query)
    database, archived = house.ports.database, query.archived
    app = await senders.sender(house, caller, query.app_id)
    channel = await _channel(house, query.channel, app)
    if channel is None and app is None:
        raise Malformed("Name a channel or an app_id.", code="which_notifications")

    async def fetch(after: str, limit: int) -> Sequence[Progress]:
        return await database.read(_fetch, after, limit)

    async def _fetch(tx: Tx, after: str, limit: int) -> Sequence[Progress]:
        if channel is not None:
            return await notifications.of_channel(tx, channel, after, limit, archived=archived)
        tenant = "" if app is None else app.id
        return await notifications.of_tenant(tx, tenant, after, limit, archived=archived)

    return await listed(house, caller, query, fetch, shown)


async def _channel(house: House, given: str | None, app: Sender | None) -> int | None:
    if given is None:
        return None
    place = None if app is None else app.place
    found = await house.ports.database.read(channels.find, channel_name(given), place)
    if found is None:
        raise NotFound("There is no such channel.", code="unknown_channel", pointer="/channel")
    return found


@operations.get(
    "/api/notifications/{notification_id}",
    answers={200: ProgressView},
    callers=Who.ANYONE,
)
async def progress(house: House, caller: Caller, notification_id: str) -> ProgressView:
    """What became of a notification: its state and its account; to a device, what was said."""
    return await house.ports.database.read(_progress, caller, notification_id)


async def _progress(tx: Tx, caller: Caller, own: str) -> ProgressView:
    if await feeds.reaches(tx, caller, own):
        found = await notifications.progress(tx, own)
        if found is not None and found.state not in UNSAID:
            return told(found)
    return shown(await _own(tx, caller, own))


@operations.get(
    "/api/notifications/{notification_id}/deliveries",
    query=Page,
    answers={200: Listed[DeliveryView]},
    callers=Who.ACCOUNT | Who.APP | Who.OPERATOR,
    scope=Scope.READ,
)
async def outcomes(house: House, caller: Caller, query: Page, notification_id: str) -> Response:
    """What became of every device of it that has its outcome, in the provider's own words."""
    database = house.ports.database
    found = await database.read(_own, caller, notification_id)
    if not (found.tenant or isinstance(caller, Operator)):
        raise NotFound("There is no such thing.")

    async def fetch(after: str, limit: int) -> Sequence[Delivery]:
        return await database.read(deliveries.page, notification_id, int(after or 0), limit)

    return await listed(house, caller, query, fetch, _delivery)


@operations.post(
    "/api/notifications/{notification_id}/cancel",
    answers={200: ProgressView},
    callers=Who.ANYONE,
    scope=Scope.NOTIFY,
    errors={**publishing.ERRORS, 409: ("already_sending",)},
)
async def cancel(house: House, caller: Caller, notification_id: str) -> ProgressView:
    """Call it off, as long as nothing of it was sent. Again changes nothing."""
    now = house.ports.clock.wall()
    return shown(await house.ports.database.write(_cancel, caller, notification_id, now))


async def _cancel(tx: Tx, caller: Caller, own: str, now: float) -> Progress:
    found = await _own(tx, caller, own)
    if not found.tenant:
        publishing.check(caller, await audiences.rooms_of(tx, own))
    if not await notifications.cancel(tx, own, now):
        raise Conflict("It is being sent, or was.", code="already_sending")
    return await _own(tx, caller, own)


async def _own(tx: Tx, caller: Caller, own: str) -> Progress:
    """The notification, if it is the caller's to see: one to the public is whoever's knows its
    id."""
    found = await notifications.progress(tx, own)
    if found is None or not await senders.sees(tx, caller, found.tenant):
        raise NotFound("There is no such thing.")
    return found


def _delivery(found: Delivery) -> DeliveryView:
    return DeliveryView(
        found.device,
        found.outcome,
        found.status,
        found.reason,
        found.provider_id,
        found.attempt,
        moment(found.finished_at),
        moment(found.delivered_at),
        moment(found.opened_at),
    )

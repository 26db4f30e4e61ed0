"""Feeds: what was said to a device, in all the channels that it may see."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from booper.api import changes, rooms, senders
from booper.api.device_tokens import DeviceToken  # noqa: TC001 - msgspec reads it
from booper.api.notification_views import told
from booper.api.pages import Page, listed
from booper.domain.caller import AppKey, Caller, DeviceCaller
from booper.domain.channel import channel_name
from booper.store import audiences, feeds, subscriptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart import Response

    from booper.api.house import House
    from booper.api.rooms import Meant
    from booper.domain.notification import Progress
    from booper.ports import Tx

MOST = 2000  # channels of one device that are looked at


class Filter(Page, frozen=True, forbid_unknown_fields=True):
    """Of which channel, by name or id; of which app; for which device. `archived`: those that left
    the list, too."""

    channel: Annotated[str, Meta(max_length=64)] | None = None
    app_id: Annotated[str, Meta(max_length=64)] | None = None
    device_token: DeviceToken | None = None
    provider: Annotated[str, Meta(max_length=64)] | None = None
    archived: bool = False


async def feed(house: House, caller: Caller, query: Filter) -> Response:
    """What was said to a device; nothing to one that is not there."""
    await changes.count(house, caller)
    database = house.ports.database
    named = rooms.Named(device_token=query.device_token, provider=query.provider)
    channel = channel_name(query.channel) if query.channel is not None else None
    meant = await rooms.meant(house, named)
    heard = await database.read(_heard, caller, meant, channel, query.app_id)

    said = partial(feeds.page, archived=query.archived)

    async def fetch(after: str, limit: int) -> Sequence[Progress]:
        return await database.read(said, heard, after, limit)

    return await listed(house, caller, query, fetch, told)


async def _heard(
    tx: Tx, caller: Caller, meant: Meant, channel: str | None, app_id: str | None
) -> list[int]:
    """The channels (by row number) that the device may see and the caller asks for."""
    if not isinstance(caller, DeviceCaller) and not await rooms.addressed(tx, meant):
        return []
    who = await rooms.listener(tx, caller, meant)
    if channel is not None:
        found = await rooms.channel(tx, caller, channel, app_id, who, "/channel")
        return [found.number]
    if isinstance(caller, AppKey):
        app_id = caller.app if app_id is None or app_id.lower() == caller.app else ""
        if not app_id:
            return []
    in_app = (app_id or "").lower()
    whole = who.proved or (in_app != "" and await senders.sees(tx, caller, in_app))
    return await subscriptions.rooms(tx, who.number, in_app, MOST, all_of_it=whole)


async def reaches(tx: Tx, caller: Caller, notification: str) -> bool:
    """Whether a device calls that may see one of the channels of that notification."""
    if not isinstance(caller, DeviceCaller):
        return False
    for room in (await audiences.rooms_of(tx, notification)).channels:
        if await subscriptions.sees(tx, caller.number, room, all_of_it=True) is not None:
            return True
    return False

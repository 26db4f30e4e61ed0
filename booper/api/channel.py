"""/api/channels/{channel}: one, by its name or its id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from booper.api import changes, etag, rooms
from booper.api.changes import LIMITED
from booper.api.channel_views import ChannelChange, ChannelView, InApp, Seen, shown
from booper.api.channels import operations
from booper.api.render import nothing
from booper.api.rooms import Ref
from booper.domain.caller import Caller, DeviceCaller, Scope, SessionCaller, Who
from booper.domain.errors import Stale
from booper.store import channels, subscriptions

if TYPE_CHECKING:
    from quart import Response

    from booper.api.etag import Expected
    from booper.api.house import House
    from booper.api.rooms import Meant
    from booper.ports import Tx
    from booper.store.channels import Channel
    from booper.store.subscriptions import Heard

PART = {"channel": Ref}
OWN = Who.ACCOUNT | Who.APP | Who.OPERATOR | Who.CHANNEL
MISSING = {404: ("unknown_channel",), 429: LIMITED}


@operations.get(
    "/api/channels/{channel}",
    parts=PART,
    query=Seen,
    answers={200: ChannelView},
    callers=Who.ANYONE,
    scope=Scope.READ,
    errors={
        **rooms.DEVICE_ERRORS,
        404: ("unknown_channel", "unknown_device"),
        429: LIMITED,
    },
)
async def one(house: House, caller: Caller, query: Seen, channel: str) -> Response:
    """A channel by its name or id: a public one, one of your app, or one you were let into."""
    if not isinstance(caller, SessionCaller):
        await changes.count(house, caller)
    meant = await rooms.meant(house, query)
    return shown(*await house.ports.database.read(_one, caller, channel, query.app_id, meant))


async def _one(
    tx: Tx, caller: Caller, ref: str, app_id: str | None, meant: Meant
) -> tuple[Channel, Heard | None]:
    if not (meant.named.anything or isinstance(caller, DeviceCaller)):
        return await rooms.channel(tx, caller, ref, app_id), None
    who = await rooms.listener(tx, caller, meant)
    found = await rooms.channel(tx, caller, ref, app_id, who)
    if not who.addressed:
        return found, None
    whole = who.proved or rooms.owns(caller, found)
    return found, await subscriptions.sees(tx, who.number, found.number, all_of_it=whole)


@operations.patch(
    "/api/channels/{channel}",
    parts=PART,
    query=InApp,
    body=ChannelChange,
    answers={200: ChannelView},
    callers=OWN,
    scope=Scope.CHANNELS,
    headers=("If-Match",),
    errors={**MISSING, 403: ("not_your_channel",)},
)
async def change(
    house: House, caller: Caller, query: InApp, body: ChannelChange, channel: str
) -> Response:
    """Change a channel of your app, or a public one by its secret; what is left out stays."""
    await changes.count(house, caller)
    wanted = (caller, channel, query.app_id, body, etag.expected())
    return shown(await house.ports.database.write(_change, *wanted))


async def own(tx: Tx, caller: Caller, ref: str, app_id: str | None, expected: Expected) -> Channel:
    """The caller's own channel, as the caller expects it to be."""
    found = rooms.owned(caller, await rooms.channel(tx, caller, ref, app_id))
    expected.check(found.version)
    return found


async def _change(
    tx: Tx, caller: Caller, ref: str, app_id: str | None, body: ChannelChange, expected: Expected
) -> Channel:
    found = await own(tx, caller, ref, app_id, expected)
    changed = await channels.change(tx, found, found.title if body.title is UNSET else body.title)
    if changed is None:
        raise stale()
    return changed


def stale() -> Stale:
    """What somebody hears who was too late by a moment."""
    return Stale("It was changed at the same time: get it again.")


@operations.delete(
    "/api/channels/{channel}",
    parts=PART,
    query=InApp,
    answers={204: None},
    callers=OWN,
    scope=Scope.CHANNELS,
    headers=("If-Match",),
    errors={**MISSING, 403: ("not_your_channel",)},
)
async def delete(house: House, caller: Caller, query: InApp, channel: str) -> Response:
    """Delete a channel: nobody listens to it any more, and its name is free.

    What was said in it can still be looked up; what waits to go out to it does not.
    """
    await changes.count(house, caller)
    wanted = (caller, channel, query.app_id, etag.expected(), house.ports.clock.wall())
    house.known.drop(*await house.ports.database.write(_delete, *wanted))
    return nothing()


async def _delete(
    tx: Tx, caller: Caller, ref: str, app_id: str | None, expected: Expected, now: float
) -> list[str]:
    """The names of the credentials that are good no more."""
    found = await own(tx, caller, ref, app_id, expected)
    if not await channels.delete(tx, found, now):
        raise stale()
    return [name for name in (found.secret_name, found.publish_name) if name is not None]

"""Audiences: whom a notification is for, resolved when it is accepted and read page by page."""

# ruff: noqa: S608 - what is put together is our own conditions
from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.audience import Audience
from booper.domain.errors import NotFound
from booper.ports import Sql
from booper.store import channels, targets

if TYPE_CHECKING:
    from booper.ports import Tx
    from booper.store.targets import Near

_decode = msgspec.json.Decoder(list[int]).decode


class _Listing(NamedTuple):
    """A page of devices: their numbers alone, as one JSON list, because many rows would cost more
    than the look; or all that a push takes of each (see `targets.living`)."""

    numbers: Sql
    near: Sql


def _listing(sqlite: str, postgresql: str) -> _Listing:
    numbers = Sql(
        f"SELECT json_group_array(device) FROM ({sqlite})",
        f"SELECT coalesce(array_to_json(array_agg(device)), '[]')::text FROM ({postgresql}) page",
    )
    return _Listing(numbers, targets.listed(sqlite, postgresql))


# PostgreSQL plans for any channel and any position alike, and would now and then walk along all
# devices for a page. So it is given no choice: along the key, from there on.
_CHANNEL = _listing(
    "SELECT device FROM subscriptions WHERE channel = ? AND device > ? AND muted = 0"
    " ORDER BY device LIMIT ?",
    "SELECT device FROM subscriptions WHERE (channel, device) > ($1, $2) AND channel <= $1"
    " AND muted = 0 ORDER BY channel, device LIMIT $3",
)
_EVERYONE = _listing(
    "SELECT device FROM members WHERE app = ? AND device > ? ORDER BY device LIMIT ?",
    "SELECT device FROM members WHERE (app, device) > ($1, $2) AND app <= $1"
    " ORDER BY app, device LIMIT $3",
)


def _members(name: str) -> _Listing:
    return _listing(
        f"SELECT device FROM members WHERE app = ? AND device > ? AND {name} = ? AND {name} <> ''"
        " ORDER BY device LIMIT ?",
        f"SELECT device FROM members WHERE app = $1 AND device > $2 AND {name} = $3"
        f" AND {name} <> '' ORDER BY device LIMIT $4",
    )


_USER = _members("user_id")
_IDENTIFIER = _members("identifier")
_NAMED = "SELECT m.device FROM members m JOIN devices d ON d.number = m.device"
_DEVICES = _listing(
    f"{_NAMED} WHERE m.app = ? AND m.device > ?"
    " AND d.id IN (SELECT value FROM json_each(?)) ORDER BY m.device LIMIT ?",
    f"{_NAMED} WHERE m.app = $1 AND m.device > $2"
    " AND d.id IN (SELECT jsonb_array_elements_text($3::jsonb)) ORDER BY m.device LIMIT $4",
)
_ROOMS = Sql(
    "SELECT c.number FROM notification_channels nc JOIN channels c ON c.number = nc.channel"
    " WHERE nc.notification = ? AND c.deleted_at IS NULL"
)
_ROOMS_OF = Sql(
    "SELECT c.number, c.publish_name FROM notifications n JOIN channels c ON c.number = n.channel"
    " WHERE n.id = ?1 UNION"
    " SELECT c.number, c.publish_name FROM notifications n"
    " JOIN notification_channels nc ON nc.notification = n.number"
    " JOIN channels c ON c.number = nc.channel WHERE n.id = ?1"
)
_KNOWN = Sql(
    "SELECT d.id FROM devices d JOIN members m ON m.device = d.number AND m.app = ?"
    " WHERE d.id IN (SELECT value FROM json_each(?))",
    "SELECT d.id FROM devices d JOIN members m ON m.device = d.number AND m.app = $1"
    " WHERE d.id IN (SELECT jsonb_array_elements_text($2::jsonb))",
)
_JOIN = Sql(
    "INSERT INTO members (app, device, user_id, identifier, joined_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (app, device) DO UPDATE"
    " SET user_id = ?3, identifier = ?4"
)


class Whom(NamedTuple):
    """A notification and its audience as they are stored; `app`: its app's row number."""

    notification: int
    channel: int | None
    app: int | None
    named: str


class Resolved(NamedTuple):
    """The channels of an audience by row number; nothing for the other kinds. `guarded`: those
    where only a key publishes."""

    channel: int | None
    channels: tuple[int, ...]
    guarded: tuple[int, ...] = ()


async def join(
    tx: Tx, app: int, device: int, now: float, *, user_id: str = "", identifier: str = ""
) -> None:
    """The device is the app's from now on, under these names of the app's own."""
    await tx.execute(_JOIN, app, device, user_id, identifier, now)


async def resolve(tx: Tx, audience: Audience, app: tuple[int, str] | None) -> Resolved:
    """What must be there is: NotFound for a channel that is not the app's (`app`: its row number
    and id; None: not public), and for a device that is not in it."""
    rooms, guarded = [], []
    for place, name in enumerate(audience.rooms):
        room = await channels.room(tx, name, app)
        if room is None:
            why = "Nobody has subscribed to it yet." if app is None else "The app has none."
            pointer = "/channel" if audience.channel is not None else f"/channels/{place}"
            raise NotFound(
                f"There is no such channel. {why}", code="unknown_channel", pointer=pointer
            )
        rooms.append(room[0])
        if room[1] is not None:
            guarded.append(room[0])
    if audience.devices is not None and app is not None:
        rows = await tx.fetch(_KNOWN, app[0], msgspec.json.encode(audience.devices).decode())
        known = {row[0] for row in rows}
        for place, device in enumerate(audience.devices):
            if device not in known:
                detail = "There is no such device in this app."
                raise NotFound(detail, code="unknown_device", pointer=f"/devices/{place}")
    if len(rooms) == 1:
        return Resolved(rooms[0], (), tuple(guarded))
    return Resolved(None, tuple(dict.fromkeys(rooms)), tuple(guarded))


async def rooms_of(tx: Tx, notification: str) -> Resolved:
    """The channels that a notification (its id) is for."""
    rows = await tx.fetch(_ROOMS_OF, notification)
    guarded = tuple(number for number, key in rows if key is not None)
    return Resolved(None, tuple(number for number, _ in rows), guarded)


async def page(tx: Tx, whom: Whom, position: int, size: int) -> list[int]:
    """At most `size` devices after `position`, by their row numbers, in order; fewer: that was all.
    Some may be gone."""
    audience = _audience(whom)
    if audience is not None and audience.channels is not None:
        return await _of_several(tx, whom.notification, position, size)
    found = _listing_of(whom, audience, position, size)
    return [] if found is None else await _numbers(tx, found[0], *found[1])


async def small(tx: Tx, whom: Whom, size: int) -> list[Near] | None:
    """All of an audience that has at most `size` devices, the living ones; None: it has more."""
    audience = _audience(whom)
    if audience is not None and audience.channels is not None:
        devices = await _of_several(tx, whom.notification, 0, size + 1)
        return await targets.near(tx, devices) if len(devices) <= size else None
    found = _listing_of(whom, audience, 0, size + 1)
    if found is None:
        return []
    rows = await tx.fetch(found[0].near, *found[1])
    return targets.living(rows) if len(rows) <= size else None


def _audience(whom: Whom) -> Audience | None:
    """Its words, where its channel alone does not say all."""
    if whom.channel is not None or not whom.named:
        return None
    return msgspec.json.decode(whom.named, type=Audience)


def _listing_of(
    whom: Whom, audience: Audience | None, position: int, size: int
) -> tuple[_Listing, tuple[object, ...]] | None:
    """How such an audience is listed, and of what; None: it is nobody's any more."""
    if whom.channel is not None:
        return _CHANNEL, (whom.channel, position, size)
    # Its channel, or its app, may be no more.
    if audience is None or audience.channel is not None or whom.app is None:
        return None
    if audience.user_id is not None:
        return _USER, (whom.app, position, audience.user_id, size)
    if audience.identifier is not None:
        return _IDENTIFIER, (whom.app, position, audience.identifier, size)
    if audience.devices is not None:
        named = msgspec.json.encode(audience.devices).decode()
        return _DEVICES, (whom.app, position, named, size)
    return _EVERYONE, (whom.app, position, size)


async def _of_several(tx: Tx, notification: int, position: int, size: int) -> list[int]:
    """Each channel's next devices, merged: whoever listens to several comes once."""
    rooms = await tx.fetch(_ROOMS, notification)
    pages = [await _numbers(tx, _CHANNEL, room, position, size) for (room,) in rooms]
    return [device for device, _ in itertools.islice(itertools.groupby(heapq.merge(*pages)), size)]


async def _numbers(tx: Tx, listing: _Listing, *params: object) -> list[int]:
    ((listed,),) = await tx.fetch(listing.numbers, *params)
    return _decode(listed)

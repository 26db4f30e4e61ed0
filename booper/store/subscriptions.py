"""Subscriptions: which device listens to which channel, seen from either side."""

# ruff: noqa: S608 - what is put together is our own columns
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.ports import Sql
from booper.store import channels
from booper.store.channels import Channel, of_row

if TYPE_CHECKING:
    from booper.ports import Row, Tx


class Subscription(NamedTuple):
    """A row with whom it joins. `user_id`, `identifier`: what the channel's app calls whoever uses
    the device; `gone_at`: its provider has called it dead since then."""

    id: str
    channel: Channel
    device: int
    device_id: str
    muted: bool
    created_at: float
    gone_at: float | None
    user_id: str
    identifier: str


class Heard(NamedTuple):
    """A channel that a device may see; `subscription`: its id, None while it does not listen."""

    channel: Channel
    subscription: str | None
    muted: bool

    @property
    def id(self) -> str:
        """Its place in the list."""
        return self.channel.id


_COLUMNS = (
    "s.id, s.device, d.id, s.muted, s.created_at, d.gone_at, coalesce(m.user_id, ''),"
    f" coalesce(m.identifier, ''), {channels.COLUMNS}"
)
_FROM = (
    "FROM subscriptions s JOIN channels c ON c.number = s.channel"
    " JOIN devices d ON d.number = s.device LEFT JOIN apps a ON a.number = c.app"
    " LEFT JOIN members m ON m.app = c.app AND m.device = s.device"
)
_ONE = Sql(f"SELECT {_COLUMNS} {_FROM} WHERE s.id = ? AND {channels.ALIVE}")
_PAGE = Sql(
    f"SELECT {_COLUMNS} {_FROM} WHERE s.channel = ? AND s.id > ? AND {channels.ALIVE}"
    " ORDER BY s.id LIMIT ?"
)
# What belongs to an app shows itself to a device that was let in; also to one that merely listens,
# if it (or the app itself) asks: ?2 = 1.
_HEARD = (
    f"{channels.FROM} LEFT JOIN subscriptions s ON s.channel = c.number AND s.device = ?1"
    " LEFT JOIN grants g ON g.channel = c.number AND g.device = ?1"
    " WHERE c.number IN (SELECT channel FROM subscriptions WHERE device = ?1"
    "  UNION SELECT channel FROM grants WHERE device = ?1)"
    f" AND {channels.ALIVE} AND (c.app IS NULL OR g.device IS NOT NULL OR ?2 = 1)"
)
_SHOWN = f"SELECT {channels.COLUMNS}, s.id, coalesce(s.muted, 0)"
_HEARS = Sql(f"{_SHOWN} {_HEARD} AND (?3 = '' OR a.id = ?3) AND c.id > ?4 ORDER BY c.id LIMIT ?5")
_SEES = Sql(f"{_SHOWN} {_HEARD} AND c.number = ?3")
_ROOMS = Sql(f"SELECT c.number {_HEARD} AND (?3 = '' OR a.id = ?3) ORDER BY c.number LIMIT ?4")
_COUNT = Sql("SELECT count(*) FROM subscriptions WHERE device = ?")
_MUTE = Sql("UPDATE subscriptions SET muted = ? WHERE id = ?")
_END = Sql("DELETE FROM subscriptions WHERE channel = ? AND device = ?")
_SHUT = Sql("DELETE FROM grants WHERE channel = ? AND device = ?")
_END_ALL = Sql(
    "DELETE FROM subscriptions WHERE device = ?1 AND channel IN"
    " (SELECT c.number FROM channels c LEFT JOIN grants g ON g.channel = c.number AND g.device = ?1"
    "  WHERE c.app IS NULL OR g.device IS NOT NULL OR ?2 = 1)"
)


async def one(tx: Tx, id: str) -> Subscription | None:  # noqa: A002 - the field's own name
    """The subscription with that id."""
    rows = await tx.fetch(_ONE, id)
    return _subscription(rows[0]) if rows else None


async def page(tx: Tx, channel: int, after: str, limit: int) -> list[Subscription]:
    """At most `limit` subscriptions of a channel whose ids come after that one, in order."""
    return [_subscription(row) for row in await tx.fetch(_PAGE, channel, after, limit)]


async def heard(
    tx: Tx, device: int, app_id: str, after: str, limit: int, *, all_of_it: bool
) -> list[Heard]:
    """At most `limit` of the channels that a device listens to or was let into, in the order of
    their ids; those of one app, where `app_id` is not "". Without `all_of_it` an app's channels
    are those it was let into."""
    rows = await tx.fetch(_HEARS, device, int(all_of_it), app_id, after, limit)
    return [Heard(of_row(row[:-2]), row[-2], bool(row[-1])) for row in rows]


async def rooms(tx: Tx, device: int, app_id: str, limit: int, *, all_of_it: bool) -> list[int]:
    """The row numbers of all these channels, `limit` at most."""
    rows = await tx.fetch(_ROOMS, device, int(all_of_it), app_id, limit)
    return [number for (number,) in rows]


async def sees(tx: Tx, device: int, channel: int, *, all_of_it: bool) -> Heard | None:
    """One of those channels, if it is one; a public one also if the device listens to it only."""
    rows = await tx.fetch(_SEES, device, int(all_of_it), channel)
    return Heard(of_row(rows[0][:-2]), rows[0][-2], bool(rows[0][-1])) if rows else None


async def count(tx: Tx, device: int) -> int:
    """How many channels a device listens to."""
    ((number,),) = await tx.fetch(_COUNT, device)
    return int(number)


async def mute(tx: Tx, id: str, *, muted: bool) -> None:  # noqa: A002
    """Whether nothing is sent for that subscription."""
    await tx.execute(_MUTE, int(muted), id)


async def end(tx: Tx, channel: int, device: int, *, shut: bool = False) -> None:
    """The device does not listen to the channel any more; `shut`: nor may it, if it was let in."""
    await tx.execute(_END, channel, device)
    if shut:
        await tx.execute(_SHUT, channel, device)


async def end_all(tx: Tx, device: int, *, all_of_it: bool) -> None:
    """The device listens to nothing any more; without `all_of_it`, of apps' channels only those go
    that it was let into."""
    await tx.execute(_END_ALL, device, int(all_of_it))


def _subscription(row: Row) -> Subscription:
    own, device, device_id, muted, created, gone, user_id, identifier, *channel = row
    return Subscription(
        own,
        of_row(tuple(channel)),
        device,
        device_id,
        bool(muted),
        created,
        gone,
        user_id,
        identifier,
    )

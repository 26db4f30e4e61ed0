"""Notifications: written with their first outbox row, read with their account."""

# ruff: noqa: S608 - what is put together is our own columns
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.domain.notification import MACHINE, Event, Progress, State
from booper.domain.outcome import Kind
from booper.ports import DONE, Sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Row, Tx

_encode = msgspec.json.encode


class Accepted(msgspec.Struct, frozen=True):
    """A notification as the front door took it; `channel` is a row number, `content` JSON.

    `tenant` is the app whose instances send it; "" is the public, for whom the operator's do.
    `audience`: JSON, as it was named. `urgent`: ahead of the others.
    """

    id: str
    channel: int | None
    content: str
    created_at: float
    expires_at: float
    tenant: str = ""
    audience: str = ""
    urgent: int = 0
    scheduled_at: float | None = None


COUNTED = (
    Kind.ACCEPTED,
    Kind.FAILED,
    Kind.GONE,
    Kind.EXPIRED,
    Kind.UNROUTED,
    Kind.DELIVERED,
    Kind.UNKNOWN,
)

_FIELDS = "id, channel, content, created_at, expires_at, tenant, audience, urgent, scheduled_at"
_INTO = f"INSERT INTO notifications ({_FIELDS}, state)"
_BEGINS = f"IS NULL THEN '{State.QUEUED.value}' ELSE '{State.SCHEDULED.value}' END"


def _queued(source: str) -> str:
    """PostgreSQL's way to write both down in one statement: a round trip is dear there."""
    return (
        f"WITH said AS ({_INTO} {source} RETURNING number, urgent, scheduled_at), later AS"
        " (INSERT INTO schedules (notification, due_at)"
        " SELECT number, scheduled_at FROM said WHERE scheduled_at IS NOT NULL)"
        " INSERT INTO fanouts (notification, urgent)"
        " SELECT number, urgent FROM said WHERE scheduled_at IS NULL"
    )


_INSERT = Sql(
    f"{_INTO} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, CASE WHEN ?9 {_BEGINS})",
    _queued(f"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::float8, CASE WHEN $9 {_BEGINS})"),
    rows=_queued(
        f"SELECT {_FIELDS}, CASE WHEN scheduled_at {_BEGINS}"
        " FROM json_to_recordset($1::json) AS said (id text, channel bigint, content text,"
        " created_at float8, expires_at float8, tenant text, audience text, urgent bigint,"
        " scheduled_at float8)"
    ),
)
_QUEUE = Sql(
    "INSERT INTO fanouts (notification, urgent) SELECT number, urgent FROM notifications"
    " WHERE id IN (SELECT value FROM json_each(?))",
    DONE,
)
_SCHEDULE = Sql(
    "INSERT INTO schedules (notification, due_at) SELECT number, scheduled_at FROM notifications"
    " WHERE id IN (SELECT value FROM json_each(?))",
    DONE,
)
_ROOM = Sql(
    "INSERT INTO notification_channels (notification, channel)"
    " SELECT number, ? FROM notifications WHERE id = ?",
    "INSERT INTO notification_channels (notification, channel)"
    " SELECT number, $1::bigint FROM notifications WHERE id = $2",
)
COLUMNS = (
    "n.id, c.name, n.state, n.devices, n.accepted, n.failed, n.gone, n.expired,"
    " n.not_configured, n.delivered, n.receipt_unknown, n.retried,"
    " n.maybe_doubled, n.created_at, n.finished_at, n.tenant, n.audience, n.content,"
    " n.scheduled_at, n.expires_at, n.archived_at, n.opened"
)
FROM = "FROM notifications n LEFT JOIN channels c ON c.number = n.channel AND c.deleted_at IS NULL"
_PROGRESS = Sql(f"SELECT {COLUMNS} {FROM} WHERE n.id = ?")
# "" < every id < "g": ids are hexadecimal.
_OF_TENANT = Sql(
    f"SELECT {COLUMNS} {FROM} WHERE n.tenant = ? AND n.id < ?"
    " AND (n.archived_at IS NULL OR ? = 1) ORDER BY n.id DESC LIMIT ?"
)
_OF_CHANNEL = Sql(
    f"SELECT {COLUMNS} {FROM} WHERE n.channel = ? AND n.id < ?"
    " AND (n.archived_at IS NULL OR ? = 1) ORDER BY n.id DESC LIMIT ?"
)
_OF_CHANNELS = Sql(
    f"SELECT {COLUMNS} FROM notification_channels nc"
    " JOIN notifications n ON n.number = nc.notification"
    " LEFT JOIN channels c ON c.number = n.channel AND c.deleted_at IS NULL"
    " WHERE nc.channel = ? AND n.id < ? AND (n.archived_at IS NULL OR ? = 1)"
    " ORDER BY n.id DESC LIMIT ?"
)
_FIND = Sql("SELECT number, state, tenant FROM notifications WHERE id = ?")
_UNSCHEDULE = Sql("DELETE FROM schedules WHERE notification = ?")
_UNQUEUE = Sql("DELETE FROM fanouts WHERE notification = ? AND position = 0")
_CANCEL = Sql("UPDATE notifications SET state = ?, finished_at = ? WHERE number = ?")
_FIRST = "g"


async def accept(
    tx: Tx, notifications: Sequence[Accepted], rooms: Sequence[tuple[int, str]] = ()
) -> None:
    """Write each notification and its fan-out row, or the one for its time: after the commit it
    cannot be forgotten. `rooms`: the channels (row number) of those (id) that are for several."""
    await tx.insert_many(_INSERT, notifications)
    now = [one.id for one in notifications if one.scheduled_at is None]
    if now:
        await tx.execute(_QUEUE, _encode(now).decode())
    if len(now) < len(notifications):
        later = [one.id for one in notifications if one.scheduled_at is not None]
        await tx.execute(_SCHEDULE, _encode(later).decode())
    if rooms:
        await tx.execute_many(_ROOM, rooms)


async def progress(tx: Tx, id: str) -> Progress | None:  # noqa: A002 - the field's own name
    """The account of one notification, or None."""
    rows = await tx.fetch(_PROGRESS, id)
    return of_row(rows[0]) if rows else None


async def of_tenant(
    tx: Tx, tenant: str, after: str, limit: int, *, archived: bool
) -> list[Progress]:
    """A tenant's, newest first, from before that id ("": from the newest)."""
    asked = (after or _FIRST, int(archived), limit)
    return [of_row(row) for row in await tx.fetch(_OF_TENANT, tenant, *asked)]


async def of_channel(
    tx: Tx, channel: int, after: str, limit: int, *, archived: bool
) -> list[Progress]:
    """A channel's, also those for several channels; the same order."""
    asked = (channel, after or _FIRST, int(archived), limit)
    found = [*await tx.fetch(_OF_CHANNEL, *asked), *await tx.fetch(_OF_CHANNELS, *asked)]
    found.sort(key=lambda row: str(row[0]), reverse=True)
    return [of_row(row) for row in found[:limit]]


async def cancel(tx: Tx, id: str, now: float) -> bool:  # noqa: A002
    """Whether nothing of it was sent, and nothing will be; again changes nothing."""
    ((number, state, _),) = await tx.fetch(_FIND, id)
    if state == State.CANCELLED.value:
        return True
    waited = await tx.execute(_UNSCHEDULE, number) or await tx.execute(_UNQUEUE, number)
    if not waited:  # it is under way, or another call has just cancelled it
        ((_, state, _),) = await tx.fetch(_FIND, id)
        return bool(state == State.CANCELLED.value)
    cancelled = MACHINE.step(State.QUEUED, Event.CANCELLED)
    await tx.execute(_CANCEL, cancelled.value, now, number)
    return True


def of_row(row: Row) -> Progress:
    """COLUMNS as the account of a notification."""
    (own, channel, state, devices, *counted) = row
    counts = counted[: len(COUNTED)]
    retried, doubled, created, finished, *more = counted[len(COUNTED) :]
    return Progress(
        own,
        channel.rpartition("/")[2] if channel is not None else None,
        State(state).value,
        devices,
        devices - sum(counts),
        {kind.value: count for kind, count in zip(COUNTED, counts, strict=True)},
        retried,
        doubled,
        created,
        finished,
        *more,
    )

"""Retention: what is old leaves the lists, and later the tables; never a row that is not final.

A deleted notification is gone at once, whole: nobody finds it or any of its outcomes. Its
deliveries, which may be a million rows, follow step by step (`purge`).
"""

# ruff: noqa: S608 - what is put together is our own conditions
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.retention import Cutoffs, Terms, cutoffs, first_id
from booper.ports import Sql
from booper.store.partitions import WEEK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.ports import Row, Tx

APPS = 200  # looked at in one transaction
NOTIFICATIONS = 200  # archived or deleted in one: each takes rows of six tables along
DELIVERIES = 1000  # deleted in one
PATIENCE = WEEK + 86_400  # seconds that PostgreSQL waits for the rest of a week's notifications

PUBLIC = ""

_FINAL = "n.finished_at IS NOT NULL"
# Also what is final for its senders may wait for a receipt, which would correct it.
SETTLED = (
    "NOT EXISTS (SELECT 1 FROM receipts r WHERE r.notification = n.number)"
    " AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.notification = n.number)"
    " AND NOT EXISTS (SELECT 1 FROM fanouts f WHERE f.notification = n.number)"
    " AND NOT EXISTS (SELECT 1 FROM schedules s WHERE s.notification = n.number)"
)
_OLDEST = (
    f"(SELECT n.id FROM notifications n WHERE n.tenant = a.id AND {_FINAL} AND n.archived_at IS"
    " NULL ORDER BY n.id LIMIT 1),"
    f" (SELECT n.id FROM notifications n WHERE n.tenant = a.id AND {_FINAL} ORDER BY n.id LIMIT 1)"
)
_APPS = Sql(
    f"SELECT a.id, a.plan, a.plan_changed_at, {_OLDEST} FROM apps a"
    " WHERE a.id > ? AND a.deleted_at IS NULL ORDER BY a.id LIMIT ?"
)
_OLD = f"n.id < ? AND n.finished_at < ? AND {SETTLED} ORDER BY n.id LIMIT ?"
_ARCHIVE = Sql(
    "UPDATE notifications SET archived_at = ? WHERE number IN (SELECT n.number"
    f" FROM notifications n WHERE n.tenant = ? AND n.archived_at IS NULL AND {_OLD})"
)
# Never the newest of all: SQLite would give its number to the next one.
_EXPIRED = Sql(
    "SELECT n.number FROM notifications n WHERE n.tenant = ?"
    f" AND n.number < (SELECT max(number) FROM notifications) AND {_OLD}"
)
_PURGE = Sql(
    "INSERT INTO purges (notification, due_at) SELECT value, ?2 FROM json_each(?1) WHERE true"
    " ON CONFLICT (notification) DO NOTHING",
    # Given some days, the whole partition of a week goes at once: see partitions.py.
    f"INSERT INTO purges (notification, due_at) SELECT value::bigint, $2::float8 + {PATIENCE}"
    " FROM jsonb_array_elements_text($1::jsonb) ON CONFLICT (notification) DO NOTHING",
)
_DELETE = Sql(
    "DELETE FROM notifications WHERE number IN (SELECT value FROM json_each(?))",
    "DELETE FROM notifications WHERE number = ANY"
    " (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb)))",
)
_UNSCHEDULE, _UNQUEUE = (
    Sql(
        f"DELETE FROM {table} WHERE notification IN (SELECT value FROM json_each(?))",
        f"DELETE FROM {table} WHERE notification = ANY"
        " (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb)))",
    )
    for table in ("schedules", "fanouts")
)
_DUE = Sql("SELECT notification FROM purges WHERE due_at <= ? ORDER BY due_at LIMIT ?")
_DROP = Sql(
    "DELETE FROM deliveries WHERE notification = ? AND device IN"
    " (SELECT device FROM deliveries WHERE notification = ? ORDER BY device LIMIT ?)"
)
_DROP_RUNS = Sql(
    "DELETE FROM delivery_runs WHERE number IN"
    " (SELECT number FROM delivery_runs WHERE notification = ? LIMIT ?)"
)
_PURGED = Sql("DELETE FROM purges WHERE notification = ?")


class Tenant(NamedTuple):
    """Whose notifications: an app's id and plan; and the ids of its oldest, not archived and of
    all, that are final."""

    id: str
    plan: str
    plan_changed_at: float
    unarchived: str | None
    oldest: str | None


class Swept(NamedTuple):
    """How many notifications were archived and deleted; `after`: the tenant to go on after (None:
    before the public); `more`: the round has not come to its end."""

    archived: int
    deleted: int
    after: str | None
    more: bool


async def sweep(
    tx: Tx,
    plans: Mapping[str, Terms],
    public: Terms,
    after: str | None,
    now: float,
    limit: int = NOTIFICATIONS,
    looks: int = APPS,
) -> Swept:
    """Archive and delete what is old of the tenants after that one (None: from the public on),
    `limit` notifications of each kind at most, and look at `looks` tenants at most."""
    archived = deleted = 0
    if after is None:
        archived, deleted = await _sweep(tx, PUBLIC, cutoffs(public, now), now, limit, limit)
        full = archived == limit or deleted == limit
        return Swept(archived, deleted, None if full else PUBLIC, more=True)
    tenants = [Tenant(*row) for row in await tx.fetch(_APPS, after, looks)]
    for tenant in tenants:
        old = cutoffs(plans.get(tenant.plan), now, tenant.plan_changed_at)
        old = Cutoffs(_due(old.archive, tenant.unarchived), _due(old.delete, tenant.oldest))
        room = limit - archived, limit - deleted
        done = await _sweep(tx, tenant.id, old, now, *room)
        archived, deleted = archived + done[0], deleted + done[1]
        if archived == limit or deleted == limit:
            return Swept(archived, deleted, after, more=True)  # this tenant may have more
        after = tenant.id
    more = len(tenants) == looks
    return Swept(archived, deleted, after if more else None, more)


async def _sweep(
    tx: Tx, tenant: str, old: Cutoffs, now: float, archive: int, delete: int
) -> tuple[int, int]:
    """Delete and archive up to so many of a tenant's; how many were archived, and deleted."""
    archived = deleted = 0
    if old.delete is not None:
        asked = (tenant, first_id(old.delete), old.delete, delete)
        deleted = await remove(tx, await tx.fetch(_EXPIRED, *asked), now)
    if old.archive is not None and deleted < delete:  # else these may be old enough to go
        asked = (tenant, first_id(old.archive), old.archive, archive)
        archived = await tx.execute(_ARCHIVE, now, *asked)
    return archived, deleted


def _due(cutoff: float | None, oldest: str | None) -> float | None:
    """The cutoff, if anything can be older than that."""
    if cutoff is None or oldest is None or oldest >= first_id(cutoff):
        return None
    return cutoff


async def remove(tx: Tx, numbers: Sequence[Row], now: float) -> int:
    """Delete the notifications with these row numbers, with all that hangs on them, but for their
    deliveries, which are to be purged; how many."""
    if not numbers:
        return 0
    listed = msgspec.json.encode([number for (number,) in numbers]).decode()
    await tx.execute(_PURGE, listed, now)
    # The schedules first: whoever turns one into a place in the queue is waited for, or finds none.
    await tx.execute(_UNSCHEDULE, listed)
    removed = await tx.execute(_DELETE, listed)
    await tx.execute(_UNQUEUE, listed)
    return removed


async def purge(tx: Tx, now: float, limit: int = DELIVERIES) -> int:
    """Delete up to `limit` rows of what deleted notifications left behind; how many."""
    left = limit
    for (notification,) in await tx.fetch(_DUE, now, limit):
        left -= await tx.execute(_DROP, notification, notification, left)
        left -= await tx.execute(_DROP_RUNS, notification, left)
        if left == 0:
            break  # it may have more
        await tx.execute(_PURGED, notification)
        left -= 1
        if left == 0:
            break
    return limit - left

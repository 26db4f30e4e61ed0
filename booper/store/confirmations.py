"""Confirmations: what a device says itself of a push: it arrived, somebody opened it.

Each counts once, however often it is said. A device may be quicker than the settlement of its
batch; what it says then is kept, and counted when its outcome is there (`match`).
"""

# ruff: noqa: S608 - what is put together is our own conditions
from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain.outcome import Kind
from booper.ports import Sql
from booper.store import delivery_runs

if TYPE_CHECKING:
    from booper.ports import Tx

_FIND = Sql(
    "SELECT n.number, n.tenant, n.channel, n.finished_at, v.device FROM notifications n"
    " LEFT JOIN deliveries v ON v.notification = n.number AND v.device = ? WHERE n.id = ?",
    "SELECT n.number, n.tenant, n.channel, n.finished_at, v.device FROM notifications n"
    " LEFT JOIN deliveries v ON v.notification = n.number AND v.device = $1 WHERE n.id = $2",
)
_MEMBER = Sql(
    "SELECT 1 FROM members m JOIN apps a ON a.number = m.app"
    " WHERE m.device = ? AND a.id = ? AND a.deleted_at IS NULL"
)
_LISTENER = Sql(
    "SELECT 1 FROM subscriptions s WHERE s.device = ?1 AND (s.channel = ?2 OR s.channel IN"
    " (SELECT channel FROM notification_channels WHERE notification = ?3)) LIMIT 1",
    "SELECT 1 FROM subscriptions s WHERE s.device = $1 AND (s.channel = $2::bigint OR s.channel IN"
    " (SELECT channel FROM notification_channels WHERE notification = $3)) LIMIT 1",
)
_KEEP = Sql(
    "INSERT INTO confirmations (notification, device, delivered_at, opened_at)"
    " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (notification, device) DO UPDATE"
    " SET opened_at = coalesce(confirmations.opened_at, excluded.opened_at)"
)
_FORGET = Sql("DELETE FROM confirmations WHERE notification = ? AND device = ?")
_IN_RUN = delivery_runs.holds("c.notification", "c.device")
_ENDED, _ENDED_PG = (
    "(EXISTS (SELECT 1 FROM deliveries v WHERE v.notification = c.notification"
    f" AND v.device = c.device) OR {in_run})"
    for in_run in (_IN_RUN.sqlite, _IN_RUN.postgresql)
)
_EARLY = Sql(
    *(
        "SELECT c.notification, c.device, c.delivered_at, c.opened_at FROM confirmations c"
        f" WHERE {ended} LIMIT {limit}"
        for ended, limit in ((_ENDED, "?"), (_ENDED_PG, "$1"))
    )
)
_STRANGERS = Sql(
    *(
        "DELETE FROM confirmations WHERE (notification, device) IN"
        " (SELECT c.notification, c.device FROM confirmations c"
        "  JOIN notifications n ON n.number = c.notification AND n.finished_at IS NOT NULL"
        f"  WHERE NOT {ended} LIMIT {limit})"
        for ended, limit in ((_ENDED, "?"), (_ENDED_PG, "$1"))
    )
)
_TICKET = Sql("DELETE FROM receipts WHERE notification = ? AND device = ?")
_STAMP = Sql(
    "UPDATE deliveries SET delivered_at = ? WHERE notification = ? AND device = ?"
    " AND delivered_at IS NULL"
)
_OPEN = Sql(
    "UPDATE deliveries SET opened_at = ? WHERE notification = ? AND device = ?"
    " AND opened_at IS NULL"
)
_MOVE = Sql(
    "UPDATE deliveries SET outcome = ? WHERE notification = ? AND device = ? AND outcome = ?"
)
_OPENED = Sql("UPDATE notifications SET opened = opened + 1 WHERE number = ?")
# What a device may know better than its provider.
_MOVED = {
    kind: Sql(
        f"UPDATE notifications SET delivered = delivered + 1, {kind.value} = {kind.value} - 1"
        " WHERE number = ?"
    )
    for kind in (Kind.ACCEPTED, Kind.UNKNOWN)
}


async def confirm(tx: Tx, notification: str, device: int, now: float, *, opened: bool) -> bool:
    """The device (row number) says that the notification (id) arrived, or was `opened`, which
    means both; False if it was not sent there, or is no more."""
    opened_at = now if opened else None
    for number, tenant, channel, finished_at, has in await tx.fetch(_FIND, device, notification):
        if has is not None or await delivery_runs.single_out(tx, number, device):
            await _write(tx, number, device, now, opened_at)
            return True
        if finished_at is None and await _expected(tx, number, tenant, channel, device):
            await tx.execute(_KEEP, number, device, now, opened_at)
            return True
    return False


async def match(tx: Tx, limit: int) -> int:
    """Count up to `limit` of those that came too early and whose outcome is there now, and forget
    those that were not sent to after all; how many."""
    early = await tx.fetch(_EARLY, limit)
    for number, device, delivered_at, opened_at in early:
        await delivery_runs.single_out(tx, number, device)
        await _write(tx, number, device, delivered_at, opened_at)
        await tx.execute(_FORGET, number, device)
    return len(early) + await tx.execute(_STRANGERS, limit)


async def _expected(tx: Tx, number: int, tenant: str, channel: int | None, device: int) -> bool:
    """Whether the device may be in the audience, as far as it is not all sent to yet."""
    if tenant and await tx.fetch(_MEMBER, device, tenant):
        return True
    return bool(await tx.fetch(_LISTENER, device, channel, number))


async def _write(
    tx: Tx, number: int, device: int, delivered_at: float, opened_at: float | None
) -> None:
    """Stamp the delivery and count what is new. Whoever takes the ticket has the last word on an
    accepted push: the receipt that says so later changes nothing then."""
    await tx.execute(_TICKET, number, device)
    if await tx.execute(_STAMP, delivered_at, number, device):
        delivered = Kind.DELIVERED.value
        for kind, count in _MOVED.items():
            if await tx.execute(_MOVE, delivered, number, device, kind.value):
                await tx.execute(count, number)
                break
    if opened_at is not None and await tx.execute(_OPEN, opened_at, number, device):
        await tx.execute(_OPENED, number)

"""Quarantine: drops that nobody has believed yet, and the brakes that put them there.

A quarantined device is marked gone like any other, so nothing is sent to it; the row here is the
way back. One that registers anew is alive at once, whatever an operator decides later.
"""

# ruff: noqa: S608 - what is put together is our own words
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.domain.brake import Drop
from booper.ports import Sql
from booper.store import devices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.brake import Alarm
    from booper.domain.delivery import Settlement
    from booper.ports import Row, Tx

PAGE = 2_000  # devices decided in one transaction
DOUBT = 7 * 86_400.0  # seconds for which a doubted address is remembered

_BRAKE = Sql(
    "INSERT INTO brakes (instance, since, paused, dead, judged) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (instance) DO UPDATE SET paused = max(brakes.paused, excluded.paused)",
    "INSERT INTO brakes (instance, since, paused, dead, judged) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (instance) DO UPDATE SET paused = greatest(brakes.paused, excluded.paused)",
)
_BRAKED = Sql("SELECT 1 FROM brakes WHERE instance = ?")
_BRAKE_OF = Sql("SELECT instance, since, paused, dead, judged FROM brakes WHERE instance = ?")
_BRAKES = Sql("SELECT instance, since, paused, dead, judged FROM brakes ORDER BY instance")
# Who registered anew and died once more waits for this death; the same one keeps its first word.
_LATEST = (
    " ON CONFLICT (device) DO UPDATE SET instance = excluded.instance,"
    " notification = excluded.notification, reason = excluded.reason, at = excluded.at"
    " WHERE quarantine.at <> excluded.at"
)
_KEEP = Sql(
    "INSERT INTO quarantine (device, instance, notification, reason, at)"
    " SELECT number, ?2, ?3, ?4, gone_at FROM devices WHERE number = ?1 AND gone_at IS NOT NULL"
    f"{_LATEST}",
    "INSERT INTO quarantine (device, instance, notification, reason, at)"
    " SELECT number, $2::text, $3::bigint, $4::text, gone_at FROM devices"
    f" WHERE number = $1 AND gone_at IS NOT NULL{_LATEST}",
)
_DOUBTED_BEFORE = Sql(
    "SELECT s.device FROM suspects s JOIN devices d ON d.number = s.device"
    " WHERE s.device = ? AND s.notification <> ? AND s.at > ? AND s.at >= d.registered_at"
)
_DOUBT = Sql(
    "INSERT INTO suspects (device, notification, at) SELECT number, ?2, ?3 FROM devices"
    " WHERE number = ?1 ON CONFLICT (device) DO UPDATE"
    " SET notification = excluded.notification, at = excluded.at",
    "INSERT INTO suspects (device, notification, at)"
    " SELECT number, $2::bigint, $3::double precision FROM devices WHERE number = $1"
    " ON CONFLICT (device) DO UPDATE SET notification = excluded.notification, at = excluded.at",
)
_CLEAR = Sql("DELETE FROM suspects WHERE device = ?")
_SWEEP = Sql(
    "DELETE FROM suspects WHERE device IN (SELECT device FROM suspects WHERE at < ? LIMIT ?)"
)
_PAGE = Sql(
    "SELECT q.device, d.id, coalesce(n.id, ''), q.reason, q.at FROM quarantine q"
    " JOIN devices d ON d.number = q.device LEFT JOIN notifications n ON n.number = q.notification"
    " WHERE q.instance = ? AND q.device > ? ORDER BY q.device LIMIT ?"
)
_COUNT = Sql("SELECT instance, count(*) FROM quarantine GROUP BY instance ORDER BY instance")
_SOME = Sql("SELECT device FROM quarantine WHERE instance = ? ORDER BY device LIMIT ?")
_REVIVE = Sql(
    "UPDATE devices SET gone_at = NULL, gone_reason = NULL WHERE number = ?"
    " AND gone_at = (SELECT q.at FROM quarantine q WHERE q.device = devices.number)"
)
_RELEASE = Sql("DELETE FROM quarantine WHERE device = ?")
_BRAKE_OFF = Sql("DELETE FROM brakes WHERE instance = ?")


class Brake(NamedTuple):
    """A brake that is on: since when, whether sending is paused too, what raised the alarm."""

    instance: str
    since: float
    paused: bool
    dead: int
    judged: int


class Kept(NamedTuple):
    """A quarantined device: its row number and id, at which notification, why, when."""

    number: int
    device: str
    notification: str
    reason: str
    at: float


async def drop(tx: Tx, instance: str, done: Settlement, now: float) -> None:
    """Mark the settlement's devices as gone; with the brake on, keep the way back."""
    reasons = done.reasons()
    drops = [Drop(device, done.notification, reasons[device]) for device in done.gone]
    await drop_all(tx, instance, drops, done.alarm, now)


async def drop_all(
    tx: Tx, instance: str, drops: Sequence[Drop], alarm: Alarm | None, now: float
) -> None:
    """The same for devices of any notifications; with an `alarm` the brake goes on."""
    await devices.mark_gone(tx, [(drop.device, drop.reason) for drop in drops], now)
    if alarm is not None:
        await _brake(tx, instance, alarm, now)
        await _keep(tx, instance, [*alarm.before, *drops])
    elif await tx.fetch(_BRAKED, instance):
        await _keep(tx, instance, drops)


async def doubt(tx: Tx, instance: str, done: Settlement, now: float) -> None:
    """Remember the settlement's suspects; one doubted at another notification before is
    quarantined."""
    reasons = done.reasons()
    for device in done.suspects:
        if await tx.fetch(_DOUBTED_BEFORE, device, done.notification, now - DOUBT):
            await devices.mark_gone(tx, [(device, reasons[device])], now)
            await _keep(tx, instance, [Drop(device, done.notification, reasons[device])])
            await tx.execute(_CLEAR, device)
        else:
            await tx.execute(_DOUBT, device, done.notification, now)


async def sweep(tx: Tx, now: float, limit: int) -> int:
    """Forget doubts that are too old to count: how many, `limit` at most."""
    return await tx.execute(_SWEEP, now - DOUBT, limit)


async def brakes(tx: Tx) -> list[Brake]:
    """Every brake that is on."""
    return [_read(row) for row in await tx.fetch(_BRAKES)]


async def brake(tx: Tx, instance: str) -> Brake | None:
    """The brake of an instance, if it is on."""
    found = await tx.fetch(_BRAKE_OF, instance)
    return _read(found[0]) if found else None


async def counts(tx: Tx) -> dict[str, int]:
    """Instance → how many of its devices are quarantined."""
    return dict(await tx.fetch(_COUNT))


async def page(tx: Tx, instance: str, after: int, size: int) -> list[Kept]:
    """The quarantined devices with a row number above `after`, in order."""
    return [Kept(*row) for row in await tx.fetch(_PAGE, instance, after, size)]


async def decide(tx: Tx, instance: str, *, undo: bool, size: int = PAGE) -> tuple[int, bool]:
    """Believe up to `size` deaths, or `undo` them; how many, and whether any are left.

    With the last of them the brake goes off. A device that registered anew is alive either way.
    """
    chosen = [(device,) for (device,) in await tx.fetch(_SOME, instance, size)]
    if undo:
        await tx.execute_many(_REVIVE, chosen)
    await tx.execute_many(_RELEASE, chosen)
    left = bool(await tx.fetch(_SOME, instance, 1))
    if not left:
        await tx.execute(_BRAKE_OFF, instance)
    return len(chosen), left


def _read(row: Row) -> Brake:
    instance, since, paused, dead, judged = row
    return Brake(instance, since, bool(paused), dead, judged)


async def _brake(tx: Tx, instance: str, alarm: Alarm, now: float) -> None:
    await tx.execute(_BRAKE, instance, now, int(alarm.mixed_up), alarm.dead, alarm.judged)


async def _keep(tx: Tx, instance: str, drops: Sequence[Drop]) -> None:
    rows = [(drop.device, instance, drop.notification, drop.reason) for drop in drops]
    await tx.execute_many(_KEEP, rows)

"""Poison: batches whose holder died (suspects), and those that are parked because of it.

A parked batch is in no outbox: nobody leases it. Its devices are pending until an operator
releases or fails it, or until the notification's time runs out.
"""

# ruff: noqa: S608 - what is put together is our own columns
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.delivery import Ended
from booper.domain.outcome import Kind
from booper.domain.poison import ALIKE, DEATHS, KIN, verdict
from booper.ports import Sql
from booper.store import deliveries, outbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Row, Tx


class Parked(NamedTuple):
    """A parked batch; `number` is its place in the list, `notification` an id."""

    number: int
    notification: str
    tenant: str
    instance: str
    size: int
    attempt: int
    deaths: int
    death: str
    parked_at: float
    expires_at: float

    @property
    def id(self) -> str:
        return str(self.number)


_SUSPECT = Sql(
    "UPDATE batches SET lease = ?1, lease_until = ?2, leased_by = ?3 WHERE number ="
    " (SELECT number FROM batches WHERE deaths > 0 AND deaths < ?6 AND instance = ?4"
    "  AND lease IS NULL AND due_at <= ?5 ORDER BY due_at, number LIMIT 1) RETURNING number",
    "UPDATE batches SET lease = $1, lease_until = $2, leased_by = $3 WHERE number ="
    " (SELECT number FROM batches WHERE deaths > 0 AND deaths < $6 AND instance = $4"
    "  AND lease IS NULL AND due_at <= $5 ORDER BY due_at, number LIMIT 1 FOR UPDATE SKIP LOCKED)"
    " RETURNING number",
)
_SHARED = "notification, instance, devices, size, attempt, last_reason, line"
_MOVE = (
    f"INSERT INTO parked ({_SHARED}, deaths, death, parked_at)"
    f" SELECT {_SHARED}, deaths, death, ?1 FROM batches"
)
_MOVE_PG = _MOVE.replace("?1", "$1::double precision")
_DEAD = f"lease IS NULL AND deaths >= {DEATHS}"
_ANY = Sql(f"SELECT 1 FROM batches WHERE deaths > 0 AND {_DEAD} LIMIT 1")
_LOCK = Sql(
    f"SELECT number, notification, instance FROM batches WHERE deaths > 0 AND {_DEAD} LIMIT ?",
    f"SELECT number, notification, instance FROM batches WHERE deaths > 0 AND {_DEAD} LIMIT $1"
    " FOR UPDATE SKIP LOCKED",
)
_PARK = Sql(f"{_MOVE} WHERE number = ?2", f"{_MOVE_PG} WHERE number = $2")
_TAKE = Sql("DELETE FROM batches WHERE number = ?")
_ALIKE = Sql("SELECT count(*) FROM parked WHERE notification = ? AND instance = ?")
_KIN = Sql(
    "SELECT number FROM batches WHERE notification = ?1 AND instance = ?2 AND lease IS NULL"
    " LIMIT ?3",
    "SELECT number FROM batches WHERE notification = $1 AND instance = $2 AND lease IS NULL"
    " LIMIT $3 FOR UPDATE SKIP LOCKED",
)
_MARK = Sql("UPDATE batches SET death = ? WHERE number = ?")
_VIEW = (
    "SELECT p.number, n.id, n.tenant, p.instance, p.size, p.attempt, p.deaths, p.death,"
    " p.parked_at, n.expires_at FROM parked p JOIN notifications n ON n.number = p.notification"
)
_PAGE = Sql(f"{_VIEW} WHERE p.number > ? ORDER BY p.number LIMIT ?")
_OF = Sql(f"{_VIEW} WHERE n.id = ? AND p.number > ? ORDER BY p.number LIMIT ?")
_RELEASE = Sql(f"INSERT INTO batches ({_SHARED}, due_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
_LATE = Sql(
    "SELECT p.number FROM parked p JOIN notifications n ON n.number = p.notification"
    " WHERE n.expires_at < ?1 LIMIT ?2",
    "SELECT p.number FROM parked p JOIN notifications n ON n.number = p.notification"
    " WHERE n.expires_at < $1 LIMIT $2 FOR UPDATE OF p SKIP LOCKED",
)
_GO = Sql("DELETE FROM parked WHERE number = ? RETURNING notification, devices, attempt, death")
_BACK = Sql(f"DELETE FROM parked WHERE number = ? RETURNING {_SHARED}")
_COUNT = {
    kind: Sql(f"UPDATE notifications SET {kind.value} = {kind.value} + ? WHERE number = ?")
    for kind in (Kind.FAILED, Kind.EXPIRED)
}


async def claim(tx: Tx, instance: str, terms: outbox.Terms) -> list[outbox.Leased]:
    """Lease one batch of which a holder may have died, to be tried alone; none if there is none."""
    lease, node, now, until = terms
    rows = await tx.fetch(_SUSPECT, lease, until, node, instance, now, DEATHS)
    return await outbox.load(tx, [number for (number,) in rows])


async def dead(tx: Tx) -> bool:
    """Whether anything is to be parked."""
    return bool(await tx.fetch(_ANY))


async def park(tx: Tx, now: float, limit: int) -> int:
    """Park what has died too often, and what is as poisonous; how many batches, some more than
    `limit` at most."""
    chosen = await tx.fetch(_LOCK, limit)
    for number, _, _ in chosen:
        await _park(tx, number, now)
    parked = len(chosen)
    for notification, instance in sorted({(row[1], row[2]) for row in chosen}):
        ((alike,),) = await tx.fetch(_ALIKE, notification, instance)
        if alike < ALIKE:
            continue
        kin = await tx.fetch(_KIN, notification, instance, limit)
        for (number,) in kin:
            await tx.execute(_MARK, KIN, number)
            await _park(tx, number, now)
        parked += len(kin)
    return parked


async def _park(tx: Tx, number: int, now: float) -> None:
    await tx.execute(_PARK, now, number)
    await tx.execute(_TAKE, number)


async def page(tx: Tx, notification: str | None, after: int, limit: int) -> list[Parked]:
    """At most `limit` parked batches (of one notification, by its id) after that number."""
    if notification is None:
        return [Parked(*row) for row in await tx.fetch(_PAGE, after, limit)]
    return [Parked(*row) for row in await tx.fetch(_OF, notification, after, limit)]


async def release(tx: Tx, numbers: Sequence[int], now: float) -> int:
    """Give them back to the outbox, as if nobody had died of them; how many there were."""
    released = 0
    for number in numbers:
        for row in await tx.fetch(_BACK, number):
            await tx.execute(_RELEASE, *row, now)
            released += 1
    return released


async def fail(tx: Tx, numbers: Sequence[int], now: float, kind: Kind = Kind.FAILED) -> int:
    """End their devices as failed (or expired), with what their holders died of; how many batches
    there were."""
    ended = 0
    for number in numbers:
        for row in await tx.fetch(_GO, number):
            await _end(tx, row, kind, now)
            ended += 1
    return ended


async def expire(tx: Tx, now: float, limit: int) -> int:
    """End up to `limit` parked batches whose time ran out; how many."""
    late = [number for (number,) in await tx.fetch(_LATE, now, limit)]
    return await fail(tx, late, now, Kind.EXPIRED)


async def _end(tx: Tx, row: Row, kind: Kind, now: float) -> None:
    notification, listed, attempt, death = row
    devices = msgspec.json.decode(listed, type=list[int])
    final = deliveries.Final(notification, attempt, Ended(kind, 0, verdict(death), devices))
    await deliveries.append(tx, [final], now)
    await tx.execute(_COUNT[kind], len(devices), notification)
    await deliveries.finish(tx, notification, now)

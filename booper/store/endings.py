"""Endings: batches that are not to be sent any more, and end where they stand, accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain.delivery import settle as decide
from booper.domain.outcome import Kind, Outcome
from booper.ports import Sql
from booper.store import outbox, settlements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Tx
    from booper.store.outbox import Leased

_STALE = Sql(
    "SELECT b.number FROM batches b JOIN notifications n ON n.number = b.notification"
    " WHERE b.lease IS NULL AND n.expires_at < ?1 LIMIT ?2",
    "SELECT b.number FROM batches b JOIN notifications n ON n.number = b.notification"
    " WHERE b.lease IS NULL AND n.expires_at < $1 LIMIT $2 FOR UPDATE OF b SKIP LOCKED",
)
_LEASE = Sql("UPDATE batches SET lease = ?, lease_until = ? WHERE number = ? AND lease IS NULL")
_LATE = Outcome(Kind.EXPIRED, 0, "nobody sent it in time")
_ORPHAN = Outcome(Kind.FAILED, 0, "its app was deleted")


async def late(tx: Tx, lease: str, now: float, limit: int) -> int:
    """End up to `limit` waiting batches whose time ran out while nobody could send them (their
    instance is disabled, stopped or gone); how many."""
    rows = await tx.fetch(_STALE, now, limit)
    for (number,) in rows:
        await tx.execute(_LEASE, lease, now, number)
        (leased,) = await outbox.load(tx, [number])
        await _end(tx, leased, _LATE, now)
    return len(rows)


async def orphaned(tx: Tx, leased: Sequence[Leased], now: float) -> None:
    """End these, because their app was deleted."""
    for one in leased:
        await _end(tx, one, _ORPHAN, now)


async def _end(tx: Tx, leased: Leased, outcome: Outcome, now: float) -> None:
    batch = leased.unaddressed
    outcomes = [outcome] * len(batch.targets)
    await settlements.settle(tx, [decide(batch, outcomes, now=now, dice=0.0)], now)

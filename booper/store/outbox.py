"""The outbox: batches under leases, from fan-out to settlement. The durable mailbox of Booper.

Each function is one step of a notification's journey and safe to repeat: a station may die
between any two of them. Whoever changes a leased row names the lease it holds (fencing); where
it no longer holds it, nothing is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.delivery import Batch, Settlement, Target
from booper.domain.outcome import Kind
from booper.ports import Sql
from booper.store import deliveries, devices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Tx

_encode = msgspec.json.encode


class Held(NamedTuple):
    """A batch and the lease somebody believes to hold on it."""

    batch: int
    lease: str


_CLAIM = Sql(
    "UPDATE batches SET lease = ?, lease_until = ?, leased_by = ? WHERE number IN"
    " (SELECT number FROM batches WHERE instance = ? AND lease IS NULL AND due_at <= ?"
    "  ORDER BY due_at, number LIMIT ?) RETURNING number"
)
_LOAD = Sql(
    "SELECT b.number, b.lease, b.notification, n.id, b.instance, b.attempt + 1, n.content,"
    " n.created_at, n.expires_at FROM batches b JOIN notifications n ON n.number = b.notification"
    " WHERE b.number = ?"
)
_TARGETS = Sql(
    "SELECT j.value, coalesce(d.token, ''), coalesce(d.registered_at, 0.0)"
    " FROM batches b, json_each(b.devices) j LEFT JOIN devices d ON d.number = j.value"
    " WHERE b.number = ? ORDER BY j.key"
)
_NEXT_DUE = Sql("SELECT min(due_at) FROM batches WHERE instance = ? AND lease IS NULL")
_TAKE = Sql("DELETE FROM batches WHERE number = ? AND lease = ?")
_AGAIN = Sql(
    "INSERT INTO batches (notification, instance, devices, size, attempt, due_at, last_reason)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_COUNT = Sql(
    "UPDATE notifications SET accepted = accepted + ?, failed = failed + ?, gone = gone + ?,"
    " expired = expired + ?, not_configured = not_configured + ?, retried = retried + ?,"
    " maybe_doubled = maybe_doubled + ? WHERE number = ?"
)
_RENEW = Sql("UPDATE batches SET lease_until = ? WHERE number = ? AND lease = ?")
_RELEASE = Sql(
    "UPDATE batches SET lease = NULL, lease_until = NULL, leased_by = NULL, due_at = ?"
    " WHERE number = ? AND lease = ?"
)
_DOUBT = Sql(
    "UPDATE notifications SET maybe_doubled = maybe_doubled + coalesce("
    " (SELECT sum(size) FROM batches b WHERE b.notification = notifications.number"
    "  AND b.lease IS NOT NULL AND b.lease_until < ?1), 0)"
    " WHERE number IN (SELECT notification FROM batches"
    "  WHERE lease IS NOT NULL AND lease_until < ?1)"
)
_DOUBT_HELD = Sql(
    "UPDATE notifications SET maybe_doubled = maybe_doubled + b.size FROM batches b"
    " WHERE b.number = ? AND b.lease = ? AND b.notification = notifications.number"
)
_RELEASE_EXPIRED = Sql(
    "UPDATE batches SET lease = NULL, lease_until = NULL, leased_by = NULL"
    " WHERE lease IS NOT NULL AND lease_until < ?"
)
_EXPIRED = Sql("SELECT 1 FROM batches WHERE lease IS NOT NULL AND lease_until < ? LIMIT 1")
_FOREVER = 1e18


async def claim(
    tx: Tx, wants: Sequence[tuple[str, int]], *, lease: str, node: str, now: float, until: float
) -> list[Batch]:
    """Lease due batches, oldest first, for each (instance, how many at most)."""
    claimed: list[Batch] = []
    for instance, room in wants:
        rows = await tx.fetch(_CLAIM, lease, until, node, instance, now, room)
        for (number,) in sorted(rows):
            (row,) = await tx.fetch(_LOAD, number)
            targets = tuple(Target(*target) for target in await tx.fetch(_TARGETS, number))
            claimed.append(Batch(*(*row, targets)))
    return claimed


async def next_due(tx: Tx, instances: Sequence[str]) -> float | None:
    """When (Unix seconds) the next waiting batch of these instances is due; None: there is none."""
    found = [(await tx.fetch(_NEXT_DUE, name))[0][0] for name in instances]
    return min((due for due in found if due is not None), default=None)


async def settle(tx: Tx, settlements: Sequence[Settlement], now: float) -> list[bool]:
    """Write what the tries meant; False where the lease was lost, and then nothing was written."""
    return [await _settle_one(tx, settlement, now) for settlement in settlements]


async def _settle_one(tx: Tx, done: Settlement, now: float) -> bool:
    rows = await tx.fetch(_LOAD, done.batch)
    if not rows or await tx.execute(_TAKE, done.batch, done.lease) == 0:
        return False
    instance, attempt = rows[0][4], rows[0][5]
    await deliveries.append(tx, done.notification, done.final, attempt, now)
    await tx.execute_many(
        _AGAIN,
        [
            (
                done.notification,
                instance,
                _encode(again.devices).decode(),
                len(again.devices),
                again.attempt,
                again.due_at,
                again.reason,
            )
            for again in done.again
        ],
    )
    if done.gone:
        reasons = {result.device: result.outcome.reason for result in done.final}
        await devices.mark_gone(tx, [(device, reasons[device]) for device in done.gone], now)
    await tx.execute(
        _COUNT,
        done.count(Kind.ACCEPTED),
        done.count(Kind.FAILED),
        done.count(Kind.GONE),
        done.count(Kind.EXPIRED),
        done.count(Kind.UNROUTED),
        sum(len(again.devices) for again in done.again),
        done.maybe_doubled,
        done.notification,
    )
    await deliveries.finish(tx, done.notification, now)
    return True


async def renew(tx: Tx, held: Sequence[Held], until: float) -> None:
    """Keep leases that are still held; the others stay lost."""
    await tx.execute_many(_RENEW, [(until, batch, lease) for batch, lease in held])


async def release(tx: Tx, held: Sequence[Held], due_at: float, *, doubt: bool) -> None:
    """Give batches back; they are due again at `due_at`. `doubt`: they may have been sent."""
    if doubt:
        await tx.execute_many(_DOUBT_HELD, held)
    await tx.execute_many(_RELEASE, [(due_at, batch, lease) for batch, lease in held])


async def release_expired(tx: Tx, now: float) -> int:
    """Give back every batch whose lease ran out; it may have been sent, and is counted as such."""
    await tx.execute(_DOUBT, now)
    return await tx.execute(_RELEASE_EXPIRED, now)


async def expired(tx: Tx, now: float) -> bool:
    """Whether any lease has run out."""
    return bool(await tx.fetch(_EXPIRED, now))


async def release_all(tx: Tx) -> int:
    """Give back every leased batch: for the start of the only process that may hold leases."""
    return await release_expired(tx, _FOREVER)

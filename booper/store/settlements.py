"""Settlements: what the tries of batches meant, written down, and the batches taken out of the
outbox, in one transaction. Who no longer holds a batch's lease writes nothing of it (fencing)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.notification import MACHINE, Event, State
from booper.domain.outcome import Kind
from booper.domain.receipt import first_ask
from booper.ports import Sql
from booper.store import absences, deliveries, quarantine, receipts
from booper.store.outbox import Held

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from booper.domain.delivery import Settlement
    from booper.ports import Clock, Tx

_encode = msgspec.json.encode
_DONE = MACHINE.step(State.SENDING, Event.ALL_FINAL).value


class Taken(NamedTuple):
    """A settled batch: whose it was, its line."""

    instance: str
    line: int


_TAKE = Sql(
    "DELETE FROM batches WHERE (number, lease) IN"
    " (SELECT value ->> 0, value ->> 1 FROM json_each(?))"
    " RETURNING number, lease, instance, line",
    "DELETE FROM batches WHERE (number, lease) IN"
    " (SELECT (value ->> 0)::bigint, value ->> 1 FROM jsonb_array_elements($1::jsonb))"
    " RETURNING number, lease, instance, line",
)
_AGAIN = Sql(
    "INSERT INTO batches"
    " (notification, instance, devices, size, attempt, due_at, last_reason, line)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
KINDS = (Kind.ACCEPTED, Kind.FAILED, Kind.GONE, Kind.EXPIRED, Kind.UNROUTED)
_COUNTED = (*(kind.value for kind in KINDS), "retried", "maybe_doubled")
# What is counted now is not in the columns yet.
_ALL_FINAL = (
    f"state = '{State.SENDING.value}' AND devices - (?1 + ?2 + ?3 + ?4 + ?5)"
    " = accepted + failed + gone + expired + not_configured + delivered + receipt_unknown"
)
_COUNT = Sql(
    "UPDATE notifications SET accepted = accepted + ?1, failed = failed + ?2, gone = gone + ?3,"  # noqa: S608 - our own words
    " expired = expired + ?4, not_configured = not_configured + ?5, retried = retried + ?6,"
    f" maybe_doubled = maybe_doubled + ?7, state = CASE WHEN {_ALL_FINAL} THEN ?8 ELSE state END,"
    f" finished_at = CASE WHEN {_ALL_FINAL} THEN ?9 ELSE finished_at END WHERE number = ?10"
)


async def settle(tx: Tx, settlements: Sequence[Settlement], now: float) -> list[bool]:
    """Write what the tries meant; False where the lease was lost, and then nothing was written."""
    taken = await _take(tx, settlements)
    kept = [(done, taken[_held(done)]) for done in settlements if _held(done) in taken]
    final = [
        deliveries.Final(done.notification, done.attempt, ended, apart=bool(done.tickets))
        for done, _ in kept
        for ended in done.final
    ]
    await deliveries.append(tx, final, now)
    await tx.execute_many(_AGAIN, [row for done, batch in kept for row in _again(done, batch)])
    for done, batch in kept:
        await _extras(tx, done, batch.instance, now)
    await _count(tx, [done for done, _ in kept], now)
    return [_held(done) in taken for done in settlements]


async def settle_all(tx: Tx, clock: Clock, settlements: Sequence[Settlement]) -> list[bool]:
    """The same for whatever waits to be settled at one moment (see `Database.gather`)."""
    return await settle(tx, settlements, clock.wall())


async def _take(tx: Tx, settlements: Sequence[Settlement]) -> dict[Held, Taken]:
    """The batches whose leases are still held, out of the outbox."""
    held = sorted(map(_held, settlements))
    rows = await tx.fetch(_TAKE, _encode(held).decode())
    return {Held(batch, lease): Taken(*rest) for batch, lease, *rest in rows}


def _again(done: Settlement, taken: Taken) -> Iterator[tuple[object, ...]]:
    """The rows of what is tried again."""
    for again in done.again:
        devices = _encode(again.devices).decode()
        size = len(again.devices)
        yield (
            *(done.notification, taken.instance, devices, size),
            *(again.attempt, again.due_at, again.reason, taken.line),
        )


async def _extras(tx: Tx, done: Settlement, instance: str, now: float) -> None:
    """What only some tries mean."""
    if done.gone:
        await quarantine.drop(tx, instance, done, now)
    if done.suspects:
        await quarantine.doubt(tx, instance, done, now)
    if done.absent or done.present:
        await absences.note(tx, done, now)
    if done.tickets:
        await receipts.append(tx, done.tickets, instance, first_ask(now))


async def _count(tx: Tx, kept: Sequence[Settlement], now: float) -> None:
    """Each notification's account, and whether it is done; in one order, so that no two wait for
    each other."""
    counts: dict[int, Counter[str]] = {}
    for done in kept:
        ours = counts.setdefault(done.notification, Counter())
        ours.update({kind.value: count for kind, count in done.counts().items()})
        ours["retried"] += sum(len(again.devices) for again in done.again)
        ours["maybe_doubled"] += done.maybe_doubled
    for notification, ours in sorted(counts.items()):
        counted = (ours[name] for name in _COUNTED)
        await tx.execute(_COUNT, *counted, _DONE, now, notification)


def _held(done: Settlement) -> Held:
    return Held(done.batch, done.lease)

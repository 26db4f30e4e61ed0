"""Receipts: the tickets of accepted pushes, from their settlement to the last word on them.

A row is written with the settlement that accepted the push and deleted with the word that
corrects it, or sends the push again, each in one transaction; whoever deletes it is the one who
does.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.outcome import Kind
from booper.domain.receipt import Ticket, Verdict
from booper.ports import Sql
from booper.store import quarantine, resending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Tx


class Waiting(NamedTuple):
    """An instance with tickets, and when (Unix seconds) the first of them is to be asked for."""

    instance: str
    due_at: float


_APPEND = Sql(
    "INSERT INTO receipts (notification, device, instance, ticket, accepted_at, due_at)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (notification, device) DO NOTHING"
)
# From name to name along the index: as many steps as there are instances, however many tickets.
_WAITING = Sql(
    "WITH RECURSIVE names (name) AS (SELECT min(instance) FROM receipts UNION ALL"
    " SELECT (SELECT min(instance) FROM receipts WHERE instance > name) FROM names"
    " WHERE name IS NOT NULL)"
    " SELECT name, (SELECT min(due_at) FROM receipts WHERE instance = name) FROM names"
    " WHERE name IS NOT NULL ORDER BY 2"
)
# Looked up for each row apart, so that no plan reads the great tables as a whole.
_TICKET = (
    "SELECT r.notification, r.device, r.ticket, r.accepted_at,"
    " coalesce((SELECT d.registered_at FROM devices d WHERE d.number = r.device), 0.0),"
    " coalesce((SELECT v.attempt FROM deliveries v"
    "  WHERE v.notification = r.notification AND v.device = r.device), 1),"
    " (SELECT n.expires_at FROM notifications n WHERE n.number = r.notification) FROM receipts r"
)
_DUE = Sql(
    f"{_TICKET} WHERE r.instance = ?1 AND r.due_at <= ?2 ORDER BY r.due_at LIMIT ?3",
    f"{_TICKET} WHERE r.instance = $1 AND r.due_at <= $2 ORDER BY r.due_at LIMIT $3"
    " FOR UPDATE OF r SKIP LOCKED",
)
_TAKE = Sql(
    "DELETE FROM receipts WHERE (notification, device, ticket) IN"
    " (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?))"
    " RETURNING notification, device",
    "DELETE FROM receipts WHERE (notification, device, ticket) IN"
    " (SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, value ->> 2"
    " FROM jsonb_array_elements($1::jsonb))"
    " RETURNING notification, device",
)
_LATER = Sql("UPDATE receipts SET due_at = ? WHERE notification = ? AND device = ? AND ticket = ?")
_CORRECT = Sql(
    "UPDATE deliveries SET outcome = ?, status = ?, reason = ?, finished_at = ?"
    " WHERE notification = ? AND device = ?"
)
_COUNT = Sql(
    "UPDATE notifications SET accepted = accepted - ?, delivered = delivered + ?,"
    " receipt_unknown = receipt_unknown + ?, failed = failed + ?, gone = gone + ?,"
    " expired = expired + ?, retried = retried + ? WHERE number = ?"
)
_COUNTED = (Kind.DELIVERED, Kind.UNKNOWN, Kind.FAILED, Kind.GONE, Kind.EXPIRED, Kind.RETRY)


async def append(tx: Tx, tickets: Sequence[Ticket], instance: str, due_at: float) -> None:
    """Await the receipts of pushes that were just accepted."""
    await tx.execute_many(
        _APPEND,
        [(t.notification, t.device, instance, t.id, t.accepted_at, due_at) for t in tickets],
    )


async def waiting(tx: Tx) -> list[Waiting]:
    """Every instance that has tickets, the first due before the others."""
    return [Waiting(*row) for row in await tx.fetch(_WAITING)]


async def claim(tx: Tx, instance: str, now: float, until: float, limit: int) -> list[Ticket]:
    """An instance's tickets to be asked for, the longest due first; nobody else is given them
    before `until`, when they are due again unless they were settled."""
    due = [Ticket(*row) for row in await tx.fetch(_DUE, instance, now, limit)]
    await tx.execute_many(_LATER, [(until, t.notification, t.device, t.id) for t in due])
    return due


async def settle(tx: Tx, instance: str, verdict: Verdict, now: float) -> int:
    """Write the last words on an instance's pushes, send again what may be tried again, correct
    the accounts of their notifications, drop the devices that are gone (with the brake on into
    quarantine), and put off the rest; how many tickets were settled. What somebody else settled
    is left alone."""
    await tx.execute_many(
        _LATER, [(due_at, t.notification, t.device, t.id) for t, due_at in verdict.later]
    )
    tickets = [late.ticket for late in verdict.final]
    tickets += [resend.ticket for resend in verdict.again]
    keys = [(t.notification, t.device, t.id) for t in tickets]
    if not keys:
        return 0
    taken = set(await tx.fetch(_TAKE, msgspec.json.encode(keys).decode()))
    final = [late for late in verdict.final if _key(late.ticket) in taken]
    wanted = [resend for resend in verdict.again if _key(resend.ticket) in taken]
    again = await resending.schedule(tx, instance, wanted) if wanted else []
    resent = {_key(resend.ticket) for resend in again}
    final += [resend.failed for resend in wanted if _key(resend.ticket) not in resent]
    await tx.execute_many(
        _CORRECT,
        [
            (end.kind.value, end.status, end.reason, now, *_key(ticket))
            for ticket, end in ((late.ticket, late.outcome) for late in final)
        ],
    )
    counts: dict[int, Counter[Kind]] = {}
    for late in final:
        counts.setdefault(late.ticket.notification, Counter())[late.outcome.kind] += 1
    for resend in again:
        counts.setdefault(resend.ticket.notification, Counter())[Kind.RETRY] += 1
    await tx.execute_many(
        _COUNT,
        [
            (count.total(), *(count[kind] for kind in _COUNTED), notification)
            for notification, count in sorted(counts.items())
        ],
    )
    await resending.reopen(tx, again)
    drops = Verdict(tuple(final), ()).drops
    if drops:
        await quarantine.drop_all(tx, instance, drops, verdict.alarm, now)
    return len(taken)


def _key(ticket: Ticket) -> tuple[int, int]:
    return ticket.notification, ticket.device

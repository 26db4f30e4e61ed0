"""Resending: pushes that were accepted, came to nothing as their receipts say, and go out again.

Their outcomes are taken back with the receipts, in one transaction (see receipts.py), so that a
device is pending or ended, never both; a notification that was done is on its way once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.domain.delivery import BATCH_SIZE
from booper.domain.fairness import line_of
from booper.domain.notification import MACHINE, Event, State
from booper.domain.outcome import Kind
from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.receipt import Resend
    from booper.ports import Tx

_WANTED = (
    " JOIN notifications n ON n.number = v.notification JOIN devices d ON d.number = v.device"
    " LEFT JOIN channels c ON c.number = n.channel AND c.deleted_at IS NULL"
    " LEFT JOIN apps a ON a.id = n.tenant AND n.tenant <> ''"
    f" WHERE v.outcome = {Kind.ACCEPTED.value!r} AND n.state <> {State.CANCELLED.value!r}"
    " AND d.gone_at IS NULL AND a.deleted_at IS NULL"
)
# Those whose device, app and notification are still there, and in whose line they stand.
_OPEN = Sql(
    "SELECT v.notification, v.device, a.number, c.number, n.urgent FROM json_each(?) j"  # noqa: S608 - our own words
    " JOIN deliveries v ON v.notification = j.value ->> 0 AND v.device = j.value ->> 1"
    f"{_WANTED}",
    "SELECT v.notification, v.device, a.number, c.number, n.urgent"  # noqa: S608
    " FROM jsonb_array_elements($1::jsonb) j (value)"
    " JOIN deliveries v ON v.notification = (j.value ->> 0)::bigint"
    f" AND v.device = (j.value ->> 1)::bigint{_WANTED}",
)
_TAKE_BACK = Sql("DELETE FROM deliveries WHERE notification = ? AND device = ?")
_AGAIN = Sql(
    "INSERT INTO batches"
    " (notification, instance, devices, size, attempt, due_at, last_reason, line)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_REOPEN = Sql(
    "UPDATE notifications SET state = ?, finished_at = NULL WHERE number = ? AND state = ?"
)


async def schedule(tx: Tx, instance: str, wanted: Sequence[Resend]) -> list[Resend]:
    """Take the outcomes back and make batches of those that are to be sent again: not where the
    notification was cancelled or deleted with its app, or the device is gone. The caller holds
    their tickets, and counts."""
    keys = [(one.ticket.notification, one.ticket.device) for one in wanted]
    lines = {
        (notification, device): line_of(app, channel, urgent=urgent == 1)
        for notification, device, app, channel, urgent in await tx.fetch(
            _OPEN, msgspec.json.encode(keys).decode()
        )
    }
    again = [one for one, key in zip(wanted, keys, strict=True) if key in lines]
    runs: dict[tuple[int, float, int, str], list[int]] = {}
    for one in again:
        alike = (one.ticket.notification, one.due_at, one.ticket.attempt, one.outcome.reason)
        runs.setdefault(alike, []).append(one.ticket.device)
    await tx.execute_many(_TAKE_BACK, sorted(lines))
    await tx.execute_many(
        _AGAIN,
        [
            (
                notification,
                instance,
                msgspec.json.encode(run).decode(),
                len(run),
                attempt,
                due_at,
                reason,
                lines[notification, run[0]],
            )
            for (notification, due_at, attempt, reason), whole in runs.items()
            for run in (whole[i : i + BATCH_SIZE] for i in range(0, len(whole), BATCH_SIZE))
        ],
    )
    return again


async def reopen(tx: Tx, again: Sequence[Resend]) -> None:
    """Their notifications, as far as they were done, are being sent."""
    sending = MACHINE.step(State.DONE, Event.REOPENED).value
    numbers = sorted({one.ticket.notification for one in again})
    await tx.execute_many(_REOPEN, [(sending, number, State.DONE.value) for number in numbers])

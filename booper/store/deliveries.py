"""Deliveries: one row per (notification, device), written once, when the outcome is final."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain.notification import MACHINE, Event, State
from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.delivery import Result
    from booper.ports import Tx

_APPEND = Sql(
    "INSERT INTO deliveries (notification, device, outcome, status, reason, provider_id, attempt,"
    " finished_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (notification, device) DO NOTHING"
)
_FINISH = Sql(
    "UPDATE notifications SET state = ?, finished_at = ? WHERE number = ? AND state = ?"
    " AND devices = accepted + failed + gone + expired + not_configured"
)


async def append(
    tx: Tx, notification: int, results: Sequence[Result], attempt: int, now: float
) -> None:
    """Write final outcomes; a device that has one already keeps it."""
    await tx.execute_many(
        _APPEND,
        [
            (
                notification,
                result.device,
                result.outcome.kind.value,
                result.outcome.status,
                result.outcome.reason,
                result.outcome.provider_id,
                attempt,
                now,
            )
            for result in results
        ],
    )


async def finish(tx: Tx, notification: int, now: float) -> None:
    """Mark the notification done if every device of it has its outcome."""
    done = MACHINE.step(State.SENDING, Event.ALL_FINAL)
    await tx.execute(_FINISH, done.value, now, notification, State.SENDING.value)

"""Deliveries: one row per (notification, device), written once, when the outcome is final."""

# ruff: noqa: S608 - what is put together is our own columns
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.notification import MACHINE, Event, State
from booper.domain.outcome import ACCEPTED, Outcome
from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.delivery import Result
    from booper.ports import Tx

# Most devices of a batch end alike: for each different end they are one list.
_FIELDS = (
    *("device", "notification", "outcome", "status", "reason", "attempt", "finished_at"),
    "provider_id",
)
_INTO = f"INSERT INTO deliveries ({', '.join(_FIELDS)})"
_APPEND = Sql(
    f"{_INTO} SELECT value, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM json_each(?1) WHERE true"
    " ON CONFLICT (notification, device) DO NOTHING",
    f"{_INTO} SELECT value, $2, $3, $4, $5, $6, $7, $8"
    " FROM unnest(translate($1, '[]', '{}')::bigint[]) value"
    " ON CONFLICT (notification, device) DO NOTHING",
    copy=("deliveries", *_FIELDS),
)
_APPEND_NAMED = Sql(
    "INSERT INTO deliveries (notification, device, outcome, status, reason, provider_id, attempt,"
    " finished_at) SELECT ?1, value ->> 0, ?3, ?4, ?5, value ->> 1, ?6, ?7 FROM json_each(?2)"
    " WHERE true ON CONFLICT (notification, device) DO NOTHING",
    "INSERT INTO deliveries (notification, device, outcome, status, reason, provider_id, attempt,"
    " finished_at) SELECT $1, (value ->> 0)::bigint, $3, $4, $5, value ->> 1, $6, $7"
    " FROM jsonb_array_elements($2::jsonb)"
    " ON CONFLICT (notification, device) DO NOTHING",
)
_FINISH = Sql(
    "UPDATE notifications SET state = ?, finished_at = ? WHERE number = ? AND state = ?"
    " AND devices = accepted + failed + gone + expired + not_configured"
    " + delivered + receipt_unknown"
)
_PAGE = Sql(
    "SELECT v.device, d.id, v.outcome, v.status, v.reason, v.provider_id, v.attempt, v.finished_at,"
    " v.delivered_at, v.opened_at FROM deliveries v LEFT JOIN devices d ON d.number = v.device"
    " WHERE v.notification = (SELECT number FROM notifications WHERE id = ?) AND v.device > ?"
    " ORDER BY v.device LIMIT ?"
)


End = tuple[str, int, str]  # kind, status, reason


class Delivery(NamedTuple):
    """What became of one device; `device` is its id, None when it is no more. What the device said
    itself: `delivered_at`, `opened_at`."""

    number: int
    device: str | None
    outcome: str
    status: int
    reason: str
    provider_id: str
    attempt: int
    finished_at: float
    delivered_at: float | None
    opened_at: float | None

    @property
    def id(self) -> str:
        """Its place in the list."""
        return str(self.number)


async def page(tx: Tx, notification: str, after: int, limit: int) -> list[Delivery]:
    """At most `limit` outcomes of a notification (its id), after that device, in order."""
    return [Delivery(*row) for row in await tx.fetch(_PAGE, notification, after, limit)]


async def append(
    tx: Tx, notification: int, results: Sequence[Result], attempt: int, now: float
) -> None:
    """Write final outcomes; a device that has one already keeps it."""
    plain: dict[End, list[int]] = {}
    named: dict[End, list[tuple[int, str]]] = {}
    usual = [result.device for result in results if result.outcome is ACCEPTED]
    if usual:
        plain[_end(ACCEPTED)] = usual
    for result in results if len(usual) < len(results) else ():
        outcome = result.outcome
        if outcome.provider_id:
            named.setdefault(_end(outcome), []).append((result.device, outcome.provider_id))
        elif outcome is not ACCEPTED:
            plain.setdefault(_end(outcome), []).append(result.device)
    for end, devices in plain.items():
        await tx.spread(_APPEND, devices, notification, *end, attempt, float(now), "")
    for end, pairs in named.items():
        listed = msgspec.json.encode(pairs).decode()
        await tx.execute(_APPEND_NAMED, notification, listed, *end, attempt, now)


def _end(outcome: Outcome) -> End:
    return outcome.kind.value, outcome.status, outcome.reason


async def finish(tx: Tx, notification: int, now: float) -> None:
    """Mark the notification done if every device of it has its outcome."""
    done = MACHINE.step(State.SENDING, Event.ALL_FINAL)
    await tx.execute(_FINISH, done.value, now, notification, State.SENDING.value)

"""Deliveries: what became of each device of a notification, written once, when that is final.

A device that ended in its own way is a row of its own; many that ended alike are one, a run (see
delivery_runs.py).
"""

# ruff: noqa: S608 - what is put together is our own columns
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.notification import MACHINE, Event, State
from booper.ports import Sql
from booper.store import delivery_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.delivery import Ended
    from booper.ports import Row, Tx

FIELDS = "notification, device, outcome, status, reason, provider_id, attempt, finished_at"
ONCE = "ON CONFLICT (notification, device) DO NOTHING"
_APPEND = Sql(
    f"INSERT INTO deliveries ({FIELDS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) {ONCE}",
    rows=f"INSERT INTO deliveries ({FIELDS}) SELECT {FIELDS} FROM json_to_recordset($1::json)"
    " AS said (notification bigint, device bigint, outcome text, status bigint, reason text,"
    f" provider_id text, attempt bigint, finished_at float8) {ONCE}",
)
_FINISH = Sql(
    "UPDATE notifications SET state = ?, finished_at = ? WHERE number = ? AND state = ?"
    " AND devices = accepted + failed + gone + expired + not_configured"
    " + delivered + receipt_unknown"
)
_PAGE = Sql(
    "SELECT device, outcome, status, reason, provider_id, attempt, finished_at, delivered_at,"
    " opened_at FROM deliveries WHERE notification = ? AND device > ? ORDER BY device LIMIT ?"
)
_NUMBER = Sql("SELECT number FROM notifications WHERE id = ?")
_IDS = Sql(
    "SELECT number, id FROM devices WHERE number IN (SELECT value FROM json_each(?))",
    "SELECT number, id FROM devices WHERE number = ANY(translate($1, '[]', '{}')::bigint[])",
)


class Final(NamedTuple):
    """What became for good of some devices of a notification (its number), at which try. `apart`:
    it may be corrected yet, for each device by itself."""

    notification: int
    attempt: int
    ended: Ended
    apart: bool = False


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


class _Row(msgspec.Struct, frozen=True):
    notification: int
    device: int
    outcome: str
    status: int
    reason: str
    provider_id: str
    attempt: int
    finished_at: float


async def page(tx: Tx, notification: str, after: int, limit: int) -> list[Delivery]:
    """At most `limit` deliveries of a notification (its id), of the devices after that one, in
    order."""
    found: dict[int, Row] = {}
    for (number,) in await tx.fetch(_NUMBER, notification):
        found = await delivery_runs.page(tx, number, after, limit)
        found |= {device: row for device, *row in await tx.fetch(_PAGE, number, after, limit)}
    shown = sorted(found)[:limit]
    ids: dict[int, str] = dict(await tx.fetch(_IDS, msgspec.json.encode(shown).decode()))
    return [Delivery(device, ids.get(device), *found[device]) for device in shown]


async def append(tx: Tx, finals: Sequence[Final], now: float) -> None:
    """Write what is final; a device that has its outcome already keeps it."""
    rows: list[_Row] = []
    runs: list[delivery_runs.Run] = []
    for notification, attempt, ended, apart in finals:
        if apart or len(ended.devices) < delivery_runs.LEAST:
            end = (ended.kind.value, ended.status, ended.reason)
            rows += [
                _Row(notification, device, *end, provider_id, attempt, now)
                for device, provider_id in delivery_runs.paired(ended.devices, ended.provider_ids)
            ]
        else:
            runs += delivery_runs.cut(notification, attempt, ended, now)
    await tx.insert_many(_APPEND, rows)
    await delivery_runs.append(tx, runs)


async def finish(tx: Tx, notification: int, now: float) -> None:
    """Mark the notification done if every device of it has its outcome."""
    done = MACHINE.step(State.SENDING, Event.ALL_FINAL)
    await tx.execute(_FINISH, done.value, now, notification, State.SENDING.value)

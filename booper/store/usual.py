"""The usual settlement: all devices of a batch ended alike, and nothing follows from it.

Nearly every batch of a campaign is settled so. To PostgreSQL it is one statement, and so its own
transaction, where the general way (settlements.py) takes five messages.
"""

# ruff: noqa: S608 - what is put together is our own words
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from booper.domain.notification import MACHINE, Event, State
from booper.ports import Sql, single
from booper.store import delivery_runs, settlements
from booper.store.deliveries import FIELDS, ONCE
from booper.store.delivery_runs import LEAST, Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.delivery import Settlement
    from booper.ports import Clock, Tx

_DONE = MACHINE.step(State.SENDING, Event.ALL_FINAL).value
_KINDS = [kind.value for kind in settlements.KINDS]
_NEW = " + ".join(f"c.{kind}" for kind in _KINDS)
_ALL_FINAL = (
    f"n.state = '{State.SENDING.value}' AND n.devices - ({_NEW}) = n.accepted + n.failed + n.gone"
    " + n.expired + n.not_configured + n.delivered + n.receipt_unknown"
)
_COUNTS = ", ".join(
    f"coalesce(sum(size) FILTER (WHERE outcome = '{kind}'), 0)::bigint AS {kind}" for kind in _KINDS
)
_SETTLE = Sql(
    "",
    "WITH said AS MATERIALIZED (SELECT * FROM json_to_recordset($1::json) AS said (batch bigint,"
    f" lease text, size bigint, {delivery_runs.TYPES})),"
    " taken AS (DELETE FROM batches b USING said WHERE b.number = said.batch"
    "  AND b.lease = said.lease RETURNING said.*),"
    f" runs AS (INSERT INTO delivery_runs ({delivery_runs.FIELDS})"
    f"  SELECT {delivery_runs.FIELDS} FROM taken WHERE size >= {LEAST}),"
    f" few AS (INSERT INTO deliveries ({FIELDS})"
    "  SELECT notification, j.value::bigint, outcome, status, reason,"
    "   coalesce(provider_ids::jsonb ->> (j.key - 1)::int, ''), attempt, finished_at FROM taken,"
    "   jsonb_array_elements_text(devices::jsonb) WITH ORDINALITY j (value, key)"
    f"  WHERE size < {LEAST} {ONCE}),"
    f" counts AS (SELECT notification, max(finished_at) AS at, {_COUNTS} FROM taken GROUP BY 1),"
    # In one order, so that no two wait for each other.
    " locked AS (SELECT n.number FROM notifications n JOIN counts ON n.number = notification"
    "  ORDER BY 1 FOR UPDATE OF n),"
    f" counted AS (UPDATE notifications n SET"
    f"  {', '.join(f'{kind} = n.{kind} + c.{kind}' for kind in _KINDS)},"
    f"  state = CASE WHEN {_ALL_FINAL} THEN '{_DONE}' ELSE n.state END,"
    f"  finished_at = CASE WHEN {_ALL_FINAL} THEN c.at ELSE n.finished_at END"
    "  FROM counts c JOIN locked ON locked.number = c.notification"
    "  WHERE n.number = c.notification)"
    " SELECT batch, lease FROM taken",
)


class _Said(Run, frozen=True):
    """A batch, the lease it was held by, and what became of its devices."""

    batch: int
    lease: str
    size: int


@single
async def settle(tx: Tx, clock: Clock, usual: Sequence[Settlement]) -> list[bool]:
    """As `settlements.settle_all`, for settlements that are `usual`."""
    if tx.near:
        return await settlements.settle_all(tx, clock, usual)
    now = clock.wall()
    said = [_said(done, now) for done in usual]
    rows = await tx.fetch(_SETTLE, msgspec.json.encode(said).decode())
    taken = set(rows)
    return [(done.batch, done.lease) in taken for done in usual]


def _said(done: Settlement, now: float) -> _Said:
    (ended,) = done.final
    (run,) = delivery_runs.cut(done.notification, done.attempt, ended, now)
    fields: dict[str, Any] = msgspec.structs.asdict(run)
    return _Said(**fields, batch=done.batch, lease=done.lease, size=len(ended.devices))

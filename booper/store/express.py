"""Express: a small audience is cut and leased in one transaction, for an instance that can be
handed its batch at once. What stands in line for the same instance keeps its turn.

So a single push is on its way after one commit, where a large audience takes three: its pages
are cut, then claimed, and meanwhile whoever claims has looked what there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.delivery import Batch
from booper.ports import Sql
from booper.store.outbox import Claimed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from booper.ports import Tx
    from booper.store.targets import Near

SMALL = 50  # devices of an audience at most

# Leased unless others of its line wait in front of it, or the instance's brake is on.
_CUT = Sql(
    "INSERT INTO batches (notification, instance, devices, size, due_at, line, lease, lease_until,"
    " leased_by) SELECT ?1, ?2, ?3, ?4, ?5, ?6, CASE WHEN free THEN ?7 END,"
    " CASE WHEN free THEN ?8 END, CASE WHEN free THEN ?9 END FROM (SELECT"
    " ?7 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM batches"
    "  WHERE instance = ?2 AND line = ?6 AND lease IS NULL AND due_at <= ?5)"
    " AND NOT EXISTS (SELECT 1 FROM brakes WHERE instance = ?2 AND paused = 1) AS free) may"
    " RETURNING number, lease",
    "INSERT INTO batches (notification, instance, devices, size, due_at, line, lease, lease_until,"
    " leased_by) SELECT $1::bigint, $2::text, $3::text, $4::bigint, $5::double precision,"
    " $6::bigint, CASE WHEN free THEN $7::text END, CASE WHEN free THEN $8::double precision END,"
    " CASE WHEN free THEN $9::text END FROM (SELECT"
    " $7::text IS NOT NULL AND NOT EXISTS (SELECT 1 FROM batches"
    "  WHERE instance = $2 AND line = $6 AND lease IS NULL AND due_at <= $5)"
    " AND NOT EXISTS (SELECT 1 FROM brakes WHERE instance = $2 AND paused = 1) AS free) may"
    " RETURNING number, lease",
)


class Express(NamedTuple):
    """The lease that is taken, by which node, until when (Unix seconds); `takes`: whether an
    instance can be handed a batch of a line just now."""

    lease: str
    node: str
    until: float
    takes: Callable[[str, int], bool]


class Said(NamedTuple):
    """What every batch of a notification says: its number, id and content, when it was said or was
    to be said, and until when it is good."""

    number: int
    id: str
    content: str
    created_at: float
    expires_at: float


async def cut(
    tx: Tx,
    express: Express,
    said: Said,
    runs: Mapping[str, Sequence[Near]],
    line: int,
    now: float,
) -> list[Claimed]:
    """A batch for each instance and its devices; those that are leased now, others wait. Who may
    not be handed it now is not asked."""
    claimed: list[Claimed] = []
    for instance, near in runs.items():
        devices = [device.number for device in near]
        listed = msgspec.json.encode(devices).decode()
        lease = express.lease if express.takes(instance, line) else None
        own = (said.number, instance, listed, len(devices), now, line)
        rows = await tx.fetch(_CUT, *own, lease, express.until, express.node)
        ((number, leased),) = rows
        if leased is not None:
            batch = Batch(
                *(number, leased, said.number, said.id, instance, 1, said.content),
                *(said.created_at, said.expires_at, (), line),
            )
            sealed = [device.sealed for device in near]
            registered_at = [device.registered_at for device in near]
            claimed.append(Claimed(batch, devices, sealed, registered_at))
    return claimed

"""Agenda: what waits to be claimed, for whom, and since when, in one look."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.domain.poison import DEATHS
from booper.ports import Sql, single
from booper.store.outbox import FIRST_DUE, WAITING

if TYPE_CHECKING:
    from booper.ports import Tx

_WAITS, _SUSPECT = 0, 1
_LOOK = Sql(
    f"{WAITING} SELECT kind, instance, due_at FROM ("  # noqa: S608 - our own words
    f"  SELECT {_WAITS} AS kind, instance, {FIRST_DUE}"
    f" UNION ALL SELECT {_SUSPECT}, instance, min(due_at) FROM batches"
    f"  WHERE deaths > 0 AND deaths < {DEATHS} AND lease IS NULL GROUP BY instance) found"
    " WHERE NOT EXISTS"
    "  (SELECT 1 FROM brakes WHERE brakes.instance = found.instance AND paused = 1)"
    f" ORDER BY kind, CASE kind WHEN {_SUSPECT} THEN due_at END, instance"
)


class Agenda(NamedTuple):
    """The instances with waiting batches, in the order of their names, and when (Unix seconds) the
    first of each is due; those with suspects (see domain/poison.py) likewise, the longest waiting
    first. Without those that their brake has paused."""

    waiting: list[tuple[str, float]]
    suspects: list[tuple[str, float]]


@single
async def look(tx: Tx) -> Agenda:
    """What there is to do now."""
    rows = await tx.fetch(_LOOK)
    waiting = [(instance, due_at) for kind, instance, due_at in rows if kind == _WAITS]
    suspects = [(instance, due_at) for kind, instance, due_at in rows if kind == _SUSPECT]
    return Agenda(waiting, suspects)

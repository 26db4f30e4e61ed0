"""Absences: which devices nobody listened at, since when. A device that is back has no row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.domain.absence import GAP, Absence
from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.delivery import Settlement
    from booper.ports import Tx

_KNOWN = Sql(
    "SELECT device, since, last FROM absences WHERE device IN (SELECT value FROM json_each(?))",
    "SELECT device, since, last FROM absences"
    " WHERE device IN (SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb))",
)
# One that registered anew, or was not tried for long, begins anew.
_NOTE = Sql(
    "INSERT INTO absences (device, since, last)"
    " SELECT number, ?2, ?2 FROM devices WHERE number IN (SELECT value FROM json_each(?1))"
    " ON CONFLICT (device) DO UPDATE SET last = excluded.last, since = CASE"
    " WHEN absences.last < ?3 OR absences.since <"
    "  (SELECT registered_at FROM devices WHERE number = absences.device)"
    " THEN excluded.since ELSE absences.since END",
    "INSERT INTO absences (device, since, last)"
    " SELECT number, $2::double precision, $2::double precision FROM devices"
    " WHERE number IN (SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb))"
    " ORDER BY number"
    " ON CONFLICT (device) DO UPDATE SET last = excluded.last, since = CASE"
    " WHEN absences.last < $3::double precision OR absences.since <"
    "  (SELECT registered_at FROM devices WHERE number = absences.device)"
    " THEN excluded.since ELSE absences.since END",
)
_FORGET = Sql(
    "DELETE FROM absences WHERE device IN (SELECT value FROM json_each(?))",
    "DELETE FROM absences WHERE device IN"
    " (SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb))",
)

_SWEEP = Sql(
    "DELETE FROM absences WHERE device IN (SELECT device FROM absences WHERE last < ? LIMIT ?)"
)


async def known(tx: Tx, devices: Sequence[int]) -> dict[int, Absence]:
    """Those of these devices that were absent at the last try."""
    rows = await tx.fetch(_KNOWN, _listed(devices))
    return {device: Absence(since, last) for device, since, last in rows}


async def note(tx: Tx, done: Settlement, now: float) -> None:
    """Remember who was absent at this try, and forget whoever was there or is given up."""
    if done.absent:
        await tx.execute(_NOTE, _listed(done.absent), now, now - GAP)
    if done.present:
        await tx.execute(_FORGET, _listed(done.present))


async def sweep(tx: Tx, now: float, limit: int) -> int:
    """Forget absences that would begin anew anyway: how many, `limit` at most."""
    return await tx.execute(_SWEEP, now - GAP, limit)


def _listed(devices: Sequence[int]) -> str:
    return msgspec.json.encode(devices).decode()

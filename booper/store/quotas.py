"""Quotas: how many notifications a tenant sent on a day of UTC, counted where they are accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.ports import Sql

if TYPE_CHECKING:
    from booper.ports import Tx

# Until the transaction ends, nobody else counts for that tenant.
_LOCK = Sql(
    "INSERT INTO quotas (tenant, day, used) VALUES (?1, ?2, 0)"
    " ON CONFLICT (tenant, day) DO UPDATE SET used = quotas.used RETURNING used"
)
_ADD = Sql("UPDATE quotas SET used = used + ? WHERE tenant = ? AND day = ?")
_SWEEP = Sql(
    "DELETE FROM quotas WHERE (tenant, day) IN"
    " (SELECT tenant, day FROM quotas WHERE day < ? LIMIT ?)"
)


async def take(tx: Tx, tenant: str, day: int, wanted: int, most: int) -> tuple[int, int]:
    """How many of `wanted` the day still has room for, which are counted now; and how many are
    left."""
    ((used,),) = await tx.fetch(_LOCK, tenant, day)
    granted = max(0, min(wanted, most - used))
    if granted:
        await tx.execute(_ADD, granted, tenant, day)
    return granted, max(0, most - used - granted)


async def sweep(tx: Tx, before: int, limit: int) -> int:
    """Forget the days before that one: how many rows, `limit` at most."""
    return await tx.execute(_SWEEP, before, limit)

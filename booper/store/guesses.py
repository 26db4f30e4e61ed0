"""Guesses: how much of each budget of wrong access codes is used up, for all nodes together.

It lies in the store and not in a limiter's memory: a restart, or another node, is no new budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.ports import Tx

_PAID = Sql(
    "SELECT key, paid_until FROM access_guesses WHERE key IN (SELECT value FROM json_each(?))",
    "SELECT key, paid_until FROM access_guesses"
    " WHERE key IN (SELECT jsonb_array_elements_text($1::jsonb))",
)
_PAY = Sql(
    "INSERT INTO access_guesses (key, paid_until) VALUES (?1, ?2)"
    " ON CONFLICT (key) DO UPDATE SET paid_until = ?2"
)
_SWEEP = Sql(
    "DELETE FROM access_guesses WHERE key IN"
    " (SELECT key FROM access_guesses WHERE paid_until < ?1 ORDER BY paid_until LIMIT ?2)"
)


async def paid(tx: Tx, keys: Sequence[str]) -> dict[str, float]:
    """Up to when (Unix seconds) each is paid for; a key that was never used is not in it."""
    rows = await tx.fetch(_PAID, msgspec.json.encode(keys).decode())
    return dict((key, until) for key, until in rows)  # noqa: C402 - mypy reads it


async def pay(tx: Tx, until: Mapping[str, float]) -> None:
    """They are paid for up to then; whoever calls is `access_codes.alone`."""
    await tx.execute_many(_PAY, sorted(until.items()))


async def sweep(tx: Tx, now: float, limit: int) -> int:
    """Forget budgets that are as new: how many, `limit` at most."""
    return await tx.execute(_SWEEP, now, limit)

"""Idempotency: what an Idempotency-Key was used for. One caller's key means one thing for a day.

The key is claimed in the transaction that writes the notification, so whatever happens at the same
time, on any node, there is one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.domain.errors import Invalid
from booper.ports import Sql

if TYPE_CHECKING:
    from booper.ports import Tx

LIFE = 86_400.0  # seconds that a key is kept

_CLAIM = Sql(
    "INSERT INTO idempotency_keys (caller, key, hash, notification, state, created_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (caller, key) DO UPDATE"
    " SET hash = ?3, notification = ?4, state = ?5, created_at = ?6"
    " WHERE idempotency_keys.created_at < ?7"
)
_FIND = Sql("SELECT hash, notification, state FROM idempotency_keys WHERE caller = ? AND key = ?")
_DROP = Sql("DELETE FROM idempotency_keys WHERE caller = ? AND key = ?")
_SWEEP = Sql(
    "DELETE FROM idempotency_keys WHERE (caller, key) IN"
    " (SELECT caller, key FROM idempotency_keys WHERE created_at < ? LIMIT ?)"
)


class Use(NamedTuple):
    """A key in somebody's hand; `hash` is of what is asked with it."""

    caller: str
    key: str
    hash: str


class Replay(NamedTuple):
    """What the key was used for: the notification's id, and its state when it was accepted."""

    notification: str
    state: str


async def claim(tx: Tx, use: Use, notification: str, state: str, now: float) -> Replay | None:
    """None if the key is new, and now stands for that notification; what it stands for if it was
    used for the same before. Invalid if it was used for something else."""
    row = (*use, notification, state, now, now - LIFE)
    if await tx.execute(_CLAIM, *row):
        return None
    rows = await tx.fetch(_FIND, use.caller, use.key)
    hashed, *found = rows[0]
    if hashed != use.hash:
        raise Invalid(
            "This Idempotency-Key was used for something else.", code="idempotency_key_reused"
        )
    return Replay(*found)


async def drop(tx: Tx, use: Use) -> None:
    """The key was not used after all."""
    await tx.execute(_DROP, use.caller, use.key)


async def sweep(tx: Tx, before: float, limit: int) -> int:
    """Forget keys from before then: how many, `limit` at most."""
    return await tx.execute(_SWEEP, before, limit)

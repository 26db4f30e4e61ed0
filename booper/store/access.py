"""Access tokens over a restart: per resolver a cached one, and perhaps an operator's override.

They are sealed at their place (tenant, resolver, version), so no row opens as another's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from booper.domain import hint
from booper.domain.access import AccessToken
from booper.domain.errors import Unsealable
from booper.domain.secret import Place
from booper.ports import Sql

if TYPE_CHECKING:
    from booper.domain.secret import Secret
    from booper.ports import Seal, Tx

Kind = Literal["cached", "manual"]
CACHED: Kind = "cached"
MANUAL: Kind = "manual"
FORGOTTEN = 86_400.0  # seconds after its end that a cached one is swept away

_LOAD = Sql(
    "SELECT version, sealed, minted_at, expires_at FROM access_tokens"
    " WHERE tenant = ? AND name = ? AND kind = ?"
)
_SAVE = Sql(
    "INSERT INTO access_tokens (tenant, name, kind, version, sealed, minted_at, expires_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tenant, name, kind) DO UPDATE"
    " SET version = ?4, sealed = ?5, minted_at = ?6, expires_at = ?7"
    " WHERE access_tokens.version < ?4"
)
_DROP = Sql("DELETE FROM access_tokens WHERE tenant = ? AND name = ? AND kind = ? AND version = ?")
_SWEEP = Sql("DELETE FROM access_tokens WHERE kind = 'cached' AND expires_at < ?")


class Whose(NamedTuple):
    """Which resolver's: the tenant ("" = the operator) and the resolver's name."""

    tenant: str
    name: str

    @property
    def key(self) -> str:
        """What the recipe calls itself: no two resolvers of any tenant share it."""
        return f"{self.tenant}/{self.name}" if self.tenant else self.name


async def load(tx: Tx, seal: Seal, whose: Whose, kind: Kind) -> AccessToken | None:
    """The stored token, good or expired; None if there is none. Unsealable: it does not open."""
    rows = await tx.fetch(_LOAD, *whose, kind)
    if not rows:
        return None
    version, sealed, minted_at, expires_at = rows[0]
    text = seal.open(_place(whose, kind, version), sealed)
    return AccessToken(text, minted_at, math.inf, math.inf if expires_at is None else expires_at)


async def save(
    tx: Tx, seal: Seal, whose: Whose, kind: Kind, access: AccessToken, now: float
) -> bool:
    """Keep a token in the place of the one before; False: a later one is there already.

    Later is what was minted later; an override is always taken. Long expired ones are swept away.
    """
    rows = await tx.fetch(_LOAD, *whose, kind)
    version = int(now * 1e6)  # never one that was used before, also after a deletion
    if rows:
        version = max(version, rows[0][0] + 1)
        if kind == CACHED and rows[0][2] > access.minted_at:
            return False
    sealed = seal.seal(_place(whose, kind, version), access.text)
    ends = access.expires_at if math.isfinite(access.expires_at) else None
    saved = await tx.execute(_SAVE, *whose, kind, version, sealed, access.minted_at, ends)
    if kind == MANUAL:
        await tx.tell(hint.Hint(hint.Kind.OVERRIDE, whose.key))
    await tx.execute(_SWEEP, now - FORGOTTEN)
    return saved > 0


async def drop(
    tx: Tx,
    seal: Seal,
    whose: Whose,
    kind: Kind,
    *,
    text: Secret | None = None,
    before: float = math.inf,
) -> bool:
    """Forget the stored token: only if it is `text`, where given, and was minted before `before`
    (Unix seconds). One that does not open is forgotten too. Whether a row went."""
    rows = await tx.fetch(_LOAD, *whose, kind)
    if not rows or rows[0][2] > before:
        return False
    version, sealed = rows[0][:2]
    if text is not None:
        try:
            if seal.open(_place(whose, kind, version), sealed) != text:
                return False
        except Unsealable:
            pass
    if kind == MANUAL:
        await tx.tell(hint.Hint(hint.Kind.OVERRIDE, whose.key))
    return await tx.execute(_DROP, *whose, kind, version) > 0


def _place(whose: Whose, kind: Kind, version: int) -> Place:
    return Place(whose.tenant, f"access/{kind}", whose.name, version)

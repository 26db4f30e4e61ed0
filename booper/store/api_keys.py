"""API keys: found by their name, proved by their hash, never stored themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.caller import AppKey, Scope
from booper.domain.hint import Hint, Kind
from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from booper.domain.credential import Credential
    from booper.ports import Tx


class ApiKey(NamedTuple):
    """A row, as its owner sees it: `name` is not enough to call."""

    id: str
    name: str
    label: str
    scopes: list[Scope]
    created_at: float
    revoked_at: float | None


_scopes = msgspec.json.Decoder(list[Scope]).decode
_CREATE = Sql(
    "INSERT INTO api_keys (id, app, name, hash, label, scopes, created_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
)
_LIVE = Sql("SELECT count(*) FROM api_keys WHERE app = ?1 AND revoked_at IS NULL")
_KNOW = Sql(
    "SELECT k.hash, k.id, k.scopes, a.number, a.id, a.plan"
    " FROM api_keys k JOIN apps a ON a.number = k.app"
    " WHERE k.name = ?1 AND k.revoked_at IS NULL AND a.deleted_at IS NULL"
)
_PAGE = Sql(
    "SELECT id, name, label, scopes, created_at, revoked_at FROM api_keys"
    " WHERE app = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
)
_REVOKE = Sql(
    "UPDATE api_keys SET revoked_at = ?1"
    " WHERE app = ?2 AND id = ?3 AND revoked_at IS NULL RETURNING name"
)
_REVOKE_ALL = Sql(
    "UPDATE api_keys SET revoked_at = ?1 WHERE app = ?2 AND revoked_at IS NULL RETURNING name"
)


async def create(
    tx: Tx,
    id: str,  # noqa: A002 - the field's own name
    app: int,
    key: Credential,
    label: str,
    scopes: Iterable[Scope],
    now: float,
) -> None:
    """A new key of an app (its row number)."""
    text = msgspec.json.encode(sorted(scopes)).decode()
    await tx.execute(_CREATE, id, app, key.name, key.hash, label, text, now)


async def live(tx: Tx, app: int) -> int:
    """How many keys of an app are not revoked."""
    ((number,),) = await tx.fetch(_LIVE, app)
    return int(number)


async def know(tx: Tx, given: Credential) -> AppKey | None:
    """Who presents that key; the same work for a wrong secret as for an unknown name."""
    rows = await tx.fetch(_KNOW, given.name)
    if not given.proves(rows[0][0] if rows else None):
        return None
    _, own, scopes, number, app, plan = rows[0]
    return AppKey(number, app, plan, own, frozenset(_scopes(scopes)))


async def page(tx: Tx, app: int, after: str, limit: int) -> list[ApiKey]:
    """At most `limit` keys of an app, revoked ones too, whose ids come after that one, in order."""
    return [
        ApiKey(own, name, label, _scopes(scopes), created_at, revoked_at)
        for own, name, label, scopes, created_at, revoked_at in await tx.fetch(
            _PAGE, app, after, limit
        )
    ]


async def revoke(tx: Tx, app: int, id: str, now: float) -> str | None:  # noqa: A002
    """Make a key of an app useless; its name, or None if it has no such living key."""
    rows = await tx.fetch(_REVOKE, now, app, id)
    for (name,) in rows:
        await tx.tell(Hint(Kind.CALLER, name))
    return rows[0][0] if rows else None


async def revoke_all(tx: Tx, app: int, now: float) -> list[str]:
    """Make every key of an app useless; their names."""
    names = [name for (name,) in await tx.fetch(_REVOKE_ALL, now, app)]
    for name in names:
        await tx.tell(Hint(Kind.CALLER, name))
    return names

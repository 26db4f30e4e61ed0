"""Access codes: found by their keyed digest, good once, and kept for a day after their end."""

# ruff: noqa: S608 - what is put together is our own conditions
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.access_code import Form
from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Tx

KEPT = 86_400.0  # seconds after its end that a code stays in its app's list


class AccessCode(NamedTuple):
    """A row as the app's owner sees it; `device`: the id of the device that used it."""

    id: str
    identifier: str
    created_at: float
    expires_at: float
    ended_at: float | None
    ended_why: str | None
    device: str | None


class NewCode(NamedTuple):
    """A code to be: `app` and `channels` by row number."""

    id: str
    app: int
    channels: Sequence[int]
    identifier: str
    created_at: float
    expires_at: float


class Opened(NamedTuple):
    """What a code opened: the app by row number and by id, those of its channels that are still
    there by row number, and what the app calls whoever came in."""

    app: int
    app_id: str
    channels: list[int]
    identifier: str


class Live(NamedTuple):
    """How many codes are good now: the app's, its short ones, and the short ones of all apps that
    need no app beside them."""

    app: int
    short: int
    house: int


_ALONE = Sql("SELECT 0", "SELECT pg_advisory_xact_lock(28540)")
_LIVE_APP = Sql(
    "SELECT count(*), coalesce(sum(CASE WHEN short > 0 THEN 1 ELSE 0 END), 0) FROM access_codes"
    " WHERE app = ?1 AND expires_at > ?2 AND ended_at IS NULL"
)
_LIVE_HOUSE = Sql(
    f"SELECT count(*) FROM access_codes WHERE short = {Form.SHORT.value} AND expires_at > ?1"
    " AND ended_at IS NULL"
)
_CREATE = Sql(
    "INSERT INTO access_codes"
    " (id, app, digest, short, channels, identifier, created_at, expires_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING"
)
_USE = (
    "UPDATE access_codes SET ended_at = ?1, ended_why = 'used', device = ?2"
    " WHERE digest IN ({digests}) AND ended_at IS NULL AND expires_at > ?1"
    " AND app IN (SELECT number FROM apps"
    " WHERE deleted_at IS NULL AND ({app} IS NULL OR id = {app}))"
    f" AND (short <> {Form.SHORT_IN_APP.value} OR {{app}} IS NOT NULL)"
    " RETURNING app, channels, identifier"
)
_USED = Sql(
    _USE.format(digests="SELECT value FROM json_each(?3)", app="?4"),
    Sql(
        _USE.format(digests="SELECT jsonb_array_elements_text(?3::jsonb)", app="?4::text")
    ).for_postgresql,
)
_APP = Sql("SELECT id FROM apps WHERE number = ?")
_THERE = Sql(
    "SELECT number FROM channels WHERE app = ? AND number IN (SELECT value FROM json_each(?))",
    "SELECT number FROM channels WHERE app = $1"
    " AND number IN (SELECT jsonb_array_elements_text($2::jsonb)::bigint)"
    " ORDER BY number FOR KEY SHARE",
)
_PAGE = Sql(
    "SELECT c.id, c.identifier, c.created_at, c.expires_at, c.ended_at, c.ended_why, d.id"
    " FROM access_codes c LEFT JOIN devices d ON d.number = c.device"
    " WHERE c.app = ?1 AND c.id > ?2 ORDER BY c.id LIMIT ?3"
)
_END = (
    "UPDATE access_codes SET ended_at = ?1, ended_why = 'revoked' WHERE id = ?2"
    " AND ended_at IS NULL AND expires_at > ?1 AND "
)
_REVOKE = Sql(f"{_END} app = ?3")
_REVOKE_OWNED = Sql(
    f"{_END} app IN (SELECT number FROM apps WHERE account = ?3 AND deleted_at IS NULL)"
)
_EXPIRE = Sql(
    "UPDATE access_codes SET ended_at = expires_at, ended_why = 'expired' WHERE number IN"
    " (SELECT number FROM access_codes WHERE ended_at IS NULL AND expires_at <= ?1"
    " ORDER BY expires_at LIMIT ?2) AND ended_at IS NULL"
)
_FORGET = Sql(
    "DELETE FROM access_codes WHERE number IN"
    " (SELECT number FROM access_codes WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2)"
)


async def alone(tx: Tx) -> None:
    """Until the transaction ends nobody else, on any node, makes a short code or guesses one."""
    await tx.fetch(_ALONE)


async def live(tx: Tx, app: int, now: float) -> Live:
    """How many are good now; exact for whoever is `alone`."""
    ((all_, short),) = await tx.fetch(_LIVE_APP, app, now)
    ((house,),) = await tx.fetch(_LIVE_HOUSE, now)
    return Live(int(all_), int(short), int(house))


async def create(tx: Tx, new: NewCode, form: Form, digests: Sequence[str]) -> int | None:
    """A new code by the first of these digests that no other code has; its place among them."""
    rooms = msgspec.json.encode(new.channels).decode()
    for place, digest in enumerate(digests):
        row = (digest, form.value, rooms, new.identifier, new.created_at, new.expires_at)
        if await tx.execute(_CREATE, new.id, new.app, *row):
            return place
    return None


async def use(
    tx: Tx, digests: Sequence[str], device: int, app_id: str | None, now: float
) -> Opened | None:
    """Use a code up, whoever else is at it; None if no such code is good now.

    `digests`: of one code, under every key that is believed; `app_id`: only a code of that app.
    The same work whether there was such a code, is one elsewhere, or never was.
    """
    rows = await tx.fetch(_USED, now, device, msgspec.json.encode(digests).decode(), app_id)
    if not rows:
        return None
    app, rooms, identifier = rows[0]
    ((own,),) = await tx.fetch(_APP, app)
    there = await tx.fetch(_THERE, app, rooms)
    return Opened(app, own, [number for (number,) in there], identifier)


async def page(tx: Tx, app: int, after: str, limit: int) -> list[AccessCode]:
    """At most `limit` codes of an app, ended ones too, whose ids come after that one, in order."""
    return [AccessCode(*row) for row in await tx.fetch(_PAGE, app, after, limit)]


async def revoke(tx: Tx, id: str, now: float, *, app: int = 0, account: int = 0) -> bool:  # noqa: A002
    """End a living code of that app, or of any app of that account; False if there is none."""
    if app:
        return await tx.execute(_REVOKE, now, id, app) > 0
    return await tx.execute(_REVOKE_OWNED, now, id, account) > 0


async def sweep(tx: Tx, now: float, limit: int) -> int:
    """Write down who expired, and forget who ended long ago: how many, 2·`limit` at most."""
    expired = await tx.execute(_EXPIRE, now, limit)
    return expired + await tx.execute(_FORGET, now - KEPT, limit)

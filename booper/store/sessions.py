"""Sessions: who is logged in, and the chain of refreshes that keeps each of them alive."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.domain.caller import Role, SessionCaller
from booper.domain.hint import Hint, Kind
from booper.ports import Sql

if TYPE_CHECKING:
    from booper.domain.credential import Credential
    from booper.ports import Tx


class Session(NamedTuple):
    """A row, as its owner sees it."""

    id: str
    client: str
    created_at: float
    used_at: float
    expires_at: float


class Refreshed(NamedTuple):
    """What a presented refresh turned out to be. `stolen`: it had been used before, and now the
    whole session has ended."""

    session: int
    caller: SessionCaller | None
    stolen: bool = False


_OPEN = Sql(
    "INSERT INTO sessions (id, account, client, created_at, used_at, expires_at)"
    " VALUES (?1, ?2, ?3, ?4, ?4, ?5) RETURNING number"
)
_ISSUE = Sql("INSERT INTO refreshes (name, hash, session, issued_at) VALUES (?1, ?2, ?3, ?4)")
_ALIVE = Sql(
    "SELECT a.number, a.id, a.role, s.id FROM sessions s JOIN accounts a ON a.number = s.account"
    " WHERE s.id = ?1 AND s.ended_at IS NULL AND s.expires_at > ?2"
)
_REFRESH = Sql(
    "SELECT r.hash, r.used_at, s.number, s.ended_at, s.expires_at, a.number, a.id, a.role, s.id"
    " FROM refreshes r JOIN sessions s ON s.number = r.session"
    " JOIN accounts a ON a.number = s.account WHERE r.name = ?1"
)
_USE = Sql("UPDATE refreshes SET used_at = ?1 WHERE name = ?2 AND used_at IS NULL")
_TOUCH = Sql("UPDATE sessions SET used_at = ?1, expires_at = ?2 WHERE number = ?3")
_END = Sql(
    "UPDATE sessions SET ended_at = ?1, ended_why = ?2"
    " WHERE account = ?3 AND id = ?4 AND ended_at IS NULL"
)
_END_STOLEN = Sql(
    "UPDATE sessions SET ended_at = ?1, ended_why = 'refresh_reused'"
    " WHERE number = ?2 AND ended_at IS NULL"
)
_OTHERS = Sql(
    "UPDATE sessions SET ended_at = ?1, ended_why = ?2"
    " WHERE account = ?3 AND id <> ?4 AND ended_at IS NULL RETURNING id"
)
_PAGE = Sql(
    "SELECT id, client, created_at, used_at, expires_at FROM sessions"
    " WHERE account = ?1 AND id > ?2 AND ended_at IS NULL AND expires_at > ?3"
    " ORDER BY id LIMIT ?4"
)
_SWEEP = Sql(
    "DELETE FROM sessions WHERE number IN"
    " (SELECT number FROM sessions WHERE expires_at < ?1 LIMIT ?2)"
)


async def open_session(
    tx: Tx,
    id: str,  # noqa: A002 - the field's own name
    account: int,
    client: str,
    now: float,
    until: float,
) -> int:
    """A new session's row number."""
    ((number,),) = await tx.fetch(_OPEN, id, account, client, now, until)
    return int(number)


async def issue(tx: Tx, session: int, refresh: Credential, now: float) -> None:
    """One more refresh of a session."""
    await tx.execute(_ISSUE, refresh.name, refresh.hash, session, now)


async def alive(tx: Tx, id: str, now: float) -> SessionCaller | None:  # noqa: A002
    """Who a session that has not ended belongs to."""
    rows = await tx.fetch(_ALIVE, id, now)
    if not rows:
        return None
    number, account, role, own = rows[0]
    return SessionCaller(number, account, Role(role), own)


async def refresh(tx: Tx, given: Credential, now: float, until: float) -> Refreshed | None:
    """Use a refresh up, once, and keep its session until `until`; None for one that is not good.

    A second use ends the session: one of the two that hold it is a thief, and nobody knows which.
    """
    rows = await tx.fetch(_REFRESH, given.name)
    stored = rows[0][0] if rows else None
    if not given.proves(stored):
        return None
    _, used_at, number, ended_at, expires_at, account, account_id, role, own = rows[0]
    if ended_at is not None or expires_at <= now:
        return None
    caller = SessionCaller(account, account_id, Role(role), own)
    if used_at is not None or not await tx.execute(_USE, now, given.name):
        await tx.execute(_END_STOLEN, now, number)
        await tx.tell(Hint(Kind.CALLER, own))
        return Refreshed(number, caller, stolen=True)
    await tx.execute(_TOUCH, now, until, number)
    return Refreshed(number, caller)


async def end(tx: Tx, account: int, id: str, why: str, now: float) -> bool:  # noqa: A002
    """End one session of that account; False if it has no such session alive."""
    ended = await tx.execute(_END, now, why, account, id) > 0
    if ended:
        await tx.tell(Hint(Kind.CALLER, id))
    return ended


async def end_others(tx: Tx, account: int, but: str, why: str, now: float) -> list[str]:
    """End every session of that account but one ("" for none); their ids."""
    ended = [own for (own,) in await tx.fetch(_OTHERS, now, why, account, but)]
    for own in ended:
        await tx.tell(Hint(Kind.CALLER, own))
    return ended


async def page(tx: Tx, account: int, after: str, now: float, limit: int) -> list[Session]:
    """At most `limit` living sessions of an account whose ids come after that one, in order."""
    return [Session(*row) for row in await tx.fetch(_PAGE, account, after, now, limit)]


async def sweep(tx: Tx, before: float, limit: int) -> int:
    """Forget sessions that expired before then, with their refreshes: how many, `limit` at most."""
    return await tx.execute(_SWEEP, before, limit)

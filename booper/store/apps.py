"""Apps: what an account owns; channels, devices and notifications of a tenant hang on one."""

# ruff: noqa: S608 - what is put together is our own columns
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.domain.caller import AppKey, SessionCaller
from booper.ports import Sql

if TYPE_CHECKING:
    from booper.domain.caller import Caller
    from booper.ports import Tx


class App(NamedTuple):
    """A row; `account` is its owner's row number, `version` moves with every change."""

    number: int
    id: str
    account: int
    name: str
    plan: str
    version: int
    created_at: float


_COLUMNS = "number, id, account, name, plan, version, created_at"
_CREATE = Sql(
    "INSERT INTO apps (id, account, name, plan, created_at)"
    f" VALUES (?1, ?2, ?3, ?4, ?5) RETURNING {_COLUMNS}"
)
_LOCK = Sql("UPDATE apps SET version = version WHERE number = ?1")
_LOCK_ACCOUNT = Sql("UPDATE accounts SET role = role WHERE number = ?1")
_COUNT = Sql("SELECT count(*) FROM apps WHERE account = ?1 AND deleted_at IS NULL")
_FIND = Sql(f"SELECT {_COLUMNS} FROM apps WHERE id = ?1 AND deleted_at IS NULL")
_OWNED = Sql(f"SELECT {_COLUMNS} FROM apps WHERE account = ?1 AND id = ?2 AND deleted_at IS NULL")
_PAGE = Sql(
    f"SELECT {_COLUMNS} FROM apps"
    " WHERE account = ?1 AND id > ?2 AND deleted_at IS NULL ORDER BY id LIMIT ?3"
)
_ALL = Sql(f"SELECT {_COLUMNS} FROM apps WHERE id > ?1 AND deleted_at IS NULL ORDER BY id LIMIT ?2")
_SEEN = (
    f"SELECT {_COLUMNS} FROM apps WHERE deleted_at IS NULL AND number IN ("
    "SELECT c.app FROM grants g JOIN channels c ON c.number = g.channel WHERE g.device = ?1"
    " UNION SELECT app FROM members WHERE device = ?1 AND ?2 = 1"
    " UNION SELECT c.app FROM subscriptions s JOIN channels c ON c.number = s.channel"
    "  WHERE s.device = ?1 AND ?2 = 1)"
)
_OF_DEVICE = Sql(f"{_SEEN} AND id > ?3 ORDER BY id LIMIT ?4")
_SEEN_BY = Sql(f"{_SEEN} AND id = ?3")
_CHANGE = Sql(
    "UPDATE apps SET name = ?1, plan = ?2, version = version + 1,"
    " plan_changed_at = CASE WHEN plan = ?2 THEN plan_changed_at ELSE ?5 END"
    f" WHERE number = ?3 AND version = ?4 AND deleted_at IS NULL RETURNING {_COLUMNS}"
)
_DELETE = Sql("UPDATE apps SET deleted_at = ?1, version = version + 1 WHERE number = ?2")


async def create(tx: Tx, id: str, account: int, name: str, plan: str, now: float) -> App:  # noqa: A002
    """A new app."""
    ((*row,),) = await tx.fetch(_CREATE, id, account, name, plan, now)
    return App(*row)


async def lock(tx: Tx, number: int) -> None:
    """Until the transaction ends, nobody else changes what counts for that app."""
    await tx.execute(_LOCK, number)


async def count_locked(tx: Tx, account: int) -> int:
    """How many apps an account owns; until the transaction ends it gets no others."""
    await tx.execute(_LOCK_ACCOUNT, account)
    ((number,),) = await tx.fetch(_COUNT, account)
    return int(number)


async def find(tx: Tx, id: str) -> App | None:  # noqa: A002
    """The app with that id, whoever owns it: for operators and for the house itself."""
    rows = await tx.fetch(_FIND, id)
    return App(*rows[0]) if rows else None


async def reachable(tx: Tx, caller: Caller, id: str) -> App | None:  # noqa: A002
    """The app with that id if it is the caller's own; somebody else's is not there at all."""
    match caller:
        case SessionCaller():
            rows = await tx.fetch(_OWNED, caller.number, id)
        case AppKey() if caller.app == id:
            rows = await tx.fetch(_FIND, id)
        case _:
            rows = []
    return App(*rows[0]) if rows else None


async def page(tx: Tx, account: int | None, after: str, limit: int) -> list[App]:
    """At most `limit` apps of an account (None: of all) whose ids come after that one, in order."""
    if account is None:
        return [App(*row) for row in await tx.fetch(_ALL, after, limit)]
    return [App(*row) for row in await tx.fetch(_PAGE, account, after, limit)]


async def of_device(tx: Tx, device: int, after: str, limit: int, *, all_of_it: bool) -> list[App]:
    """At most `limit` apps that let a device (by row number) in, whose ids come after that one, in
    order; with `all_of_it` also those that have it among their devices, or listening."""
    rows = await tx.fetch(_OF_DEVICE, device, int(all_of_it), after, limit)
    return [App(*row) for row in rows]


async def seen_by(tx: Tx, device: int, id: str, *, all_of_it: bool) -> App | None:  # noqa: A002
    """One of those, by its id."""
    rows = await tx.fetch(_SEEN_BY, device, int(all_of_it), id)
    return App(*rows[0]) if rows else None


async def change(tx: Tx, app: App, name: str, plan: str, now: float) -> App | None:
    """The app with its new name and plan; None if it is gone, or not as `app` says any more."""
    rows = await tx.fetch(_CHANGE, name, plan, app.number, app.version, now)
    return App(*rows[0]) if rows else None


async def delete(tx: Tx, number: int, now: float) -> None:
    """Nobody finds it from now on, by no way; what hangs on it is removed later."""
    await tx.execute(_DELETE, now, number)

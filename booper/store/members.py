"""Members: the devices of an app, and whose they are there by the app's own names."""

# ruff: noqa: S608 - what is put together is our own columns
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.ports import Sql

if TYPE_CHECKING:
    from booper.ports import Tx


class Member(NamedTuple):
    """A device in an app; `id` is its place in the app's list."""

    app: int
    device: int
    user_id: str
    identifier: str

    @property
    def id(self) -> str:
        return str(self.device)


_COLUMNS = "app, device, user_id, identifier"
_OF = Sql(f"SELECT {_COLUMNS} FROM members WHERE app = ? AND device = ?")
_OWNED = Sql(
    "SELECT m.app, m.device, m.user_id, m.identifier FROM members m JOIN apps a ON a.number = m.app"
    " WHERE m.device = ? AND a.account = ? AND a.deleted_at IS NULL ORDER BY m.app LIMIT 1"
)
_PAGE = Sql(f"SELECT {_COLUMNS} FROM members WHERE app = ? AND device > ? ORDER BY device LIMIT ?")
_PAGE_OF = Sql(
    f"SELECT {_COLUMNS} FROM members WHERE app = ? AND user_id = ? AND user_id <> ''"
    " AND device > ? ORDER BY device LIMIT ?"
)
_JOIN = Sql(
    "INSERT INTO members (app, device, user_id, identifier, joined_at) VALUES (?1, ?2, ?3, ?4, ?5)"
    " ON CONFLICT (app, device) DO UPDATE SET user_id = coalesce(nullif(?3, ''), members.user_id),"
    " identifier = coalesce(nullif(?4, ''), members.identifier)"
)
_RENAME = Sql("UPDATE members SET user_id = ?, identifier = ? WHERE app = ? AND device = ?")
_LEAVE = (
    Sql("DELETE FROM members WHERE app = ? AND device = ?"),
    Sql(
        "DELETE FROM subscriptions WHERE channel IN (SELECT number FROM channels WHERE app = ?)"
        " AND device = ?"
    ),
    Sql(
        "DELETE FROM grants WHERE channel IN (SELECT number FROM channels WHERE app = ?)"
        " AND device = ?"
    ),
)


async def find(tx: Tx, app: int, device: int) -> Member | None:
    """The device in that app, if it is in it."""
    rows = await tx.fetch(_OF, app, device)
    return Member(*rows[0]) if rows else None


async def owned(tx: Tx, account: int, device: int) -> Member | None:
    """The device in one of the account's apps, if it is in any."""
    rows = await tx.fetch(_OWNED, device, account)
    return Member(*rows[0]) if rows else None


async def page(tx: Tx, app: int, user_id: str | None, after: str, limit: int) -> list[Member]:
    """At most `limit` devices of an app (of one of its users) after that place, in order."""
    place = int(after or 0)
    if user_id is None:
        return [Member(*row) for row in await tx.fetch(_PAGE, app, place, limit)]
    return [Member(*row) for row in await tx.fetch(_PAGE_OF, app, user_id, place, limit)]


async def join(tx: Tx, app: int, device: int, user_id: str, identifier: str, now: float) -> None:
    """The device is in the app from now on; names that are left out ("") stay as they were."""
    await tx.execute(_JOIN, app, device, user_id, identifier, now)


async def rename(tx: Tx, member: Member, user_id: str, identifier: str) -> None:
    """These are its names in the app from now on; "" is none."""
    await tx.execute(_RENAME, user_id, identifier, member.app, member.device)


async def leave(tx: Tx, app: int, device: int) -> None:
    """The device is not in the app any more, and listens to none of its channels."""
    for sql in _LEAVE:
        await tx.execute(sql, app, device)

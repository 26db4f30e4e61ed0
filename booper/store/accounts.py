"""Accounts: the people of the dashboard."""

# ruff: noqa: S608 - what is put together is our own columns
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.domain.caller import Role
from booper.domain.secret import Secret
from booper.ports import Sql

if TYPE_CHECKING:
    from booper.ports import Row, Tx


class Account(NamedTuple):
    """A row; `password` is its hash."""

    number: int
    id: str
    email: str
    name: str
    role: Role
    password: Secret
    created_at: float


_COLUMNS = "number, id, email, name, role, password, created_at"
_CREATE = Sql(
    "INSERT INTO accounts (id, email, name, role, password, created_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (email) DO NOTHING"
)
_FIND = Sql(f"SELECT {_COLUMNS} FROM accounts WHERE id = ?1")
_FIND_EMAIL = Sql(f"SELECT {_COLUMNS} FROM accounts WHERE email = ?1")
_PAGE = Sql(f"SELECT {_COLUMNS} FROM accounts WHERE id > ?1 ORDER BY id LIMIT ?2")
_PASSWORD = Sql("UPDATE accounts SET password = ?1 WHERE number = ?2")
_CHANGE = Sql("UPDATE accounts SET name = ?1, role = ?2 WHERE number = ?3")


async def create(
    tx: Tx,
    id: str,  # noqa: A002 - the field's own name
    email: str,
    name: str,
    role: Role,
    password: Secret,
    now: float,
) -> Account | None:
    """The new account; None if there is one with that e-mail address already."""
    if not await tx.execute(_CREATE, id, email, name, role.value, password.reveal(), now):
        return None
    return await find(tx, id)


async def find(tx: Tx, id: str) -> Account | None:  # noqa: A002
    """The account with that id."""
    return _one(await tx.fetch(_FIND, id))


async def find_by_email(tx: Tx, email: str) -> Account | None:
    """The account with that e-mail address, in lower case."""
    return _one(await tx.fetch(_FIND_EMAIL, email))


async def page(tx: Tx, after: str, limit: int) -> list[Account]:
    """At most `limit` accounts whose ids come after that one, in order."""
    return [_account(row) for row in await tx.fetch(_PAGE, after, limit)]


async def set_password(tx: Tx, number: int, password: Secret) -> None:
    """A new hash in place of the old one."""
    await tx.execute(_PASSWORD, password.reveal(), number)


async def change(tx: Tx, number: int, name: str, role: Role) -> None:
    """A new name and role."""
    await tx.execute(_CHANGE, name, role.value, number)


def _one(rows: list[Row]) -> Account | None:
    return _account(rows[0]) if rows else None


def _account(row: Row) -> Account:
    number, own, email, name, role, password, created_at = row
    return Account(number, own, email, name, Role(role), Secret(password), created_at)

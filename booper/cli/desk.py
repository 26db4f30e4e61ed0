"""What `booper accounts` does on the database itself, while no Booper runs on it (or beside those
that share a PostgreSQL)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from booper.api.entry import account_view
from booper.clock import SystemClock, UuidIds
from booper.domain import account
from booper.domain.caller import Role
from booper.domain.errors import Conflict, NotFound
from booper.passwords import Argon2Passwords
from booper.store import accounts, sessions
from booper.store.opening import open_database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from booper.domain.secret import Secret
    from booper.ports import Database, Tx
    from booper.settings import Settings
    from booper.store.accounts import Account

PAGE = 100


async def run(settings: Settings, what: str, fields: dict[str, Any]) -> Any:
    """The answer of one of ACTIONS, as the API would give it."""
    async with open_database(settings) as database:
        return await ACTIONS[what](database, **fields)


async def create(
    database: Database, email: str, password: str, name: str, role: str
) -> dict[str, Any]:
    """A new account."""
    address = account.email_address(email)
    stored = await Argon2Passwords().hash(account.password(password))
    made = await database.write(
        accounts.create, UuidIds().mint(), address, name, Role(role), stored, SystemClock().wall()
    )
    if made is None:
        raise Conflict(f"There is an account {address}.", code="account_exists")
    return shown(made)


async def every(database: Database) -> list[dict[str, Any]]:
    """All accounts."""
    found: list[Account] = []
    while len(more := await database.read(accounts.page, found[-1].id if found else "", PAGE)):
        found += more
    return [shown(one) for one in found]


async def set_password(database: Database, email: str, password: str) -> None:
    """A new password; every session of the account ends."""
    stored = await Argon2Passwords().hash(account.password(password))
    await database.write(_set, account.email_address(email), stored)


async def _set(tx: Tx, email: str, stored: Secret) -> None:
    found = await accounts.find_by_email(tx, email)
    if found is None:
        raise NotFound(f"There is no account {email}.", code="unknown_account")
    await accounts.set_password(tx, found.number, stored)
    await sessions.end_others(tx, found.number, "", "password_changed", SystemClock().wall())


def shown(one: Account) -> dict[str, Any]:
    """An account as plain values."""
    view = account_view(one)
    return {field: getattr(view, field) for field in view.__struct_fields__}


ACTIONS: dict[str, Callable[..., Awaitable[Any]]] = {
    "create": create,
    "every": every,
    "set_password": set_password,
}

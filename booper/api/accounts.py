"""/api/accounts: signing up, and what a person may change about themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from booper.api.entry import AccountView, Opened, account_view, opened
from booper.api.operation import Operations
from booper.api.render import nothing
from booper.api.sessions import client
from booper.domain import account
from booper.domain.caller import Role, SessionCaller, Who
from booper.domain.errors import Conflict, NotFound, Refused
from booper.store import accounts, sessions

if TYPE_CHECKING:
    from quart import Response

    from booper.api.house import House
    from booper.domain.secret import Secret
    from booper.ports import Tx
    from booper.store.accounts import Account

operations = Operations("accounts")

Email = Annotated[str, Meta(max_length=254, pattern=account.ADDRESS)]
Password = Annotated[str, Meta(min_length=account.SHORTEST, max_length=account.LONGEST)]
Name = Annotated[str, Meta(max_length=100)]


class SignUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new account."""

    email: Email
    password: Password
    name: Name = ""


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person may change."""

    name: Name


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The old one proves that it is you."""

    current: Annotated[str, Meta(max_length=account.LONGEST)]
    new: Password


@operations.post(
    "/api/accounts",
    body=SignUp,
    answers={201: Opened},
    callers=Who.UNASKED,
    errors={403: ("sign_up_closed",), 409: ("account_exists",), 503: ("busy",)},
)
async def sign_up(house: House, body: SignUp) -> Opened:
    """Sign up, and be logged in. Whoever runs this Booper may have closed it."""
    if not house.settings.accounts.sign_up:
        raise Refused("New accounts are made by an operator here.", code="sign_up_closed")
    made = await create(house, body.email, body.password, body.name, Role.MEMBER)
    return await opened(house, made, client())


async def create(house: House, email: str, password: str, name: str, role: Role) -> Account:
    """A new account; Conflict if the address has one."""
    address, ports = account.email_address(email), house.ports
    stored = await house.passwords.hash(account.password(password))
    own = ports.ids.mint()
    made = await ports.database.write(
        accounts.create, own, address, name, role, stored, ports.clock.wall()
    )
    if made is None:
        raise Conflict(
            "There is an account with this address.", code="account_exists", pointer="/email"
        )
    return made


@operations.get("/api/accounts/me", answers={200: AccountView}, callers=Who.ACCOUNT)
async def me(house: House, caller: SessionCaller) -> AccountView:
    """Who you are."""
    return account_view(await _own(house, caller))


@operations.patch("/api/accounts/me", body=Profile, answers={200: AccountView}, callers=Who.ACCOUNT)
async def change(house: House, caller: SessionCaller, body: Profile) -> AccountView:
    """Change your name."""
    await house.ports.database.write(accounts.change, caller.number, body.name, caller.role)
    return account_view(await _own(house, caller))


@operations.put(
    "/api/accounts/me/password",
    body=NewPassword,
    answers={204: None},
    callers=Who.ACCOUNT,
    errors={403: ("wrong_password",), 503: ("busy",)},
)
async def change_password(house: House, caller: SessionCaller, body: NewPassword) -> Response:
    """Change your password. Every other session of yours ends."""
    own = await _own(house, caller)
    if not await house.passwords.verify(own.password, account.spelled(body.current)):
        raise Refused("That is not your password.", code="wrong_password", pointer="/current")
    await set_password(house, own, body.new, caller.session, "/new")
    return nothing()


async def set_password(
    house: House, own: Account, password: str, but: str, pointer: str = "/password"
) -> None:
    """A new password; every session of the account but that one ends."""
    stored = await house.passwords.hash(account.password(password, pointer))
    ended = await house.ports.database.write(
        _set, own.number, stored, but, house.ports.clock.wall()
    )
    house.known.drop(*ended)


async def _set(tx: Tx, number: int, stored: Secret, but: str, now: float) -> list[str]:
    await accounts.set_password(tx, number, stored)
    return await sessions.end_others(tx, number, but, "password_changed", now)


async def _own(house: House, caller: SessionCaller) -> Account:
    found = await house.ports.database.read(accounts.find, caller.account)
    if found is None:
        raise NotFound("There is no such account any more.")
    return found

"""/api/admin for people and keys: accounts, every tenant's apps, what sessions are signed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType

from booper.api import apps as front_apps
from booper.api.accounts import Email, Name, Password, set_password
from booper.api.accounts import create as create_account
from booper.api.apps import AppView
from booper.api.entry import AccountView, account_view
from booper.api.operation import Operations
from booper.api.pages import Listed, Page, listed
from booper.api.render import nothing
from booper.domain.caller import Caller, Role, Who
from booper.domain.errors import Invalid, NotFound
from booper.store import accounts, apps
from booper.store.server_keys import SESSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart import Response

    from booper.api.house import House
    from booper.ports import Tx
    from booper.store.accounts import Account
    from booper.store.apps import App

operations = Operations("operators")


class NewAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account that an operator makes; sign-up may be closed."""

    email: Email
    password: Password
    name: Name = ""
    role: Role = Role.MEMBER


class AccountChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays."""

    name: Name | UnsetType = UNSET
    role: Role | UnsetType = UNSET


class PasswordSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For somebody who has lost theirs."""

    password: Password


class PlanChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the plans in the settings."""

    plan: str


class SigningKeys(msgspec.Struct, frozen=True):
    """By their ids, oldest first; the last one signs, the others are still believed."""

    keys: list[str]


@operations.get(
    "/api/admin/accounts",
    query=Page,
    answers={200: Listed[AccountView]},
    callers=Who.OPERATOR,
)
async def index(house: House, caller: Caller, query: Page) -> Response:
    """Every account."""

    async def fetch(after: str, limit: int) -> Sequence[Account]:
        return await house.ports.database.read(accounts.page, after, limit)

    return await listed(house, caller, query, fetch, account_view)


@operations.post(
    "/api/admin/accounts",
    body=NewAccount,
    answers={201: AccountView},
    callers=Who.OPERATOR,
    errors={409: ("account_exists",), 503: ("busy",)},
)
async def create(house: House, body: NewAccount) -> AccountView:
    """A new account, of any role."""
    return account_view(
        await create_account(house, body.email, body.password, body.name, body.role)
    )


@operations.patch(
    "/api/admin/accounts/{account_id}",
    body=AccountChange,
    answers={200: AccountView},
    callers=Who.OPERATOR,
)
async def change(house: House, account_id: str, body: AccountChange) -> AccountView:
    """Change an account's name or role; a role counts within a second."""
    return account_view(await house.ports.database.write(_change, account_id, body))


async def _change(tx: Tx, account_id: str, body: AccountChange) -> Account:
    found = await _account(tx, account_id)
    name = found.name if body.name is UNSET else body.name
    role = found.role if body.role is UNSET else body.role
    await accounts.change(tx, found.number, name, role)
    return found._replace(name=name, role=role)


@operations.put(
    "/api/admin/accounts/{account_id}/password",
    body=PasswordSet,
    answers={204: None},
    callers=Who.OPERATOR,
    errors={503: ("busy",)},
)
async def password(house: House, account_id: str, body: PasswordSet) -> Response:
    """Set an account's password; every session of it ends."""
    found = await house.ports.database.read(_account, account_id)
    await set_password(house, found, body.password, but="")
    return nothing()


@operations.get(
    "/api/admin/apps",
    query=Page,
    answers={200: Listed[AppView]},
    callers=Who.OPERATOR,
)
async def every_app(house: House, caller: Caller, query: Page) -> Response:
    """Every tenant's apps."""

    async def fetch(after: str, limit: int) -> Sequence[App]:
        return await house.ports.database.read(apps.page, None, after, limit)

    return await listed(house, caller, query, fetch, front_apps.view)


@operations.patch(
    "/api/admin/apps/{app_id}",
    body=PlanChange,
    answers={200: AppView},
    callers=Who.OPERATOR,
    errors={412: ("stale",), 422: ("unknown_plan",)},
)
async def set_plan(house: House, app_id: str, body: PlanChange) -> Response:
    """Put an app on another plan."""
    if body.plan not in house.settings.plans:
        raise Invalid(f"There is no plan {body.plan!r}.", code="unknown_plan", pointer="/plan")
    now = house.ports.clock.wall()
    return front_apps.shown(await house.ports.database.write(_set_plan, app_id, body.plan, now))


async def _set_plan(tx: Tx, app_id: str, plan: str, now: float) -> App:
    found = await apps.find(tx, app_id)
    if found is None:
        raise NotFound("There is no such thing.")
    return await front_apps.changed(tx, found, found.name, plan, now)


@operations.get("/api/admin/signing_keys", answers={200: SigningKeys}, callers=Who.OPERATOR)
async def signing_keys(house: House) -> SigningKeys:
    """What sessions are signed with."""
    await house.keys.newest(SESSION)
    return SigningKeys([key.id for key in await house.keys.all(SESSION)])


@operations.post("/api/admin/signing_keys", answers={201: SigningKeys}, callers=Who.OPERATOR)
async def rotate(house: House) -> SigningKeys:
    """A new signing key, used at once. Nobody is logged out: the older ones are still believed."""
    await house.keys.rotate(SESSION)
    return SigningKeys([key.id for key in await house.keys.all(SESSION)])


@operations.delete("/api/admin/signing_keys/{key_id}", answers={204: None}, callers=Who.OPERATOR)
async def remove(house: House, key_id: str) -> Response:
    """Believe an older signing key no longer: what it signed must be refreshed. Not the newest."""
    if not await house.keys.remove(SESSION, key_id):
        raise NotFound("There is no older key with this id.")
    return nothing()


async def _account(tx: Tx, account_id: str) -> Account:
    found = await accounts.find(tx, account_id)
    if found is None:
        raise NotFound("There is no such thing.")
    return found

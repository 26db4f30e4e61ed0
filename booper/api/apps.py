"""/api/apps: what an account owns. An app's own key sees its app and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from booper.api import device_apps, etag
from booper.api.changes import LIMITED
from booper.api.device_apps import Looking, Wanted
from booper.api.operation import Operations
from booper.api.pages import Listed, listed
from booper.api.render import Moment, moment, nothing, rendered
from booper.domain.caller import AppKey, Caller, Scope, SessionCaller, Who
from booper.domain.errors import Conflict, NotFound, Stale
from booper.store import api_keys, apps, closure
from booper.workers.dismissal import dismiss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart import Response

    from booper.api.etag import Expected
    from booper.api.house import House
    from booper.domain import wanted
    from booper.ports import Tx
    from booper.store.apps import App

operations = Operations("apps")

Name = Annotated[str, Meta(min_length=1, max_length=100)]


class NewApp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a new app is called."""

    name: Name


class AppChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays."""

    name: Name | UnsetType = UNSET


class AppView(msgspec.Struct, frozen=True):
    """An app; its plan is an operator's to change, and null for a device that looks."""

    id: str
    name: str
    plan: str | None
    created_at: Moment


def view(app: App) -> AppView:
    """An app as its owner sees it."""
    return AppView(app.id, app.name, app.plan, moment(app.created_at))


def told(app: App) -> AppView:
    """An app as a device sees it."""
    return AppView(app.id, app.name, None, moment(app.created_at))


def shown(app: App, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """One app, with its tag."""
    return rendered(view(app), status, {"ETag": etag.tag(app.version), **(headers or {})})


async def own(tx: Tx, caller: Caller, app_id: str) -> App:
    """The caller's own app; NotFound for somebody else's, as for none."""
    found = await apps.reachable(tx, caller, app_id)
    if found is None:
        raise NotFound("There is no such thing.")
    return found


@operations.get(
    "/api/apps",
    query=Wanted,
    answers={200: Listed[AppView]},
    callers=Who.ANYONE,
    scope=Scope.READ,
    errors={403: ("wrong_caller",), 422: ("ambiguous_device", "which_device"), 429: LIMITED},
)
async def index(house: House, caller: Caller, query: Wanted) -> Response:
    """Your apps; for an API key, its app; for a device, by its device token those that let it in,
    by its secret also those that it is in."""
    database = house.ports.database
    if not isinstance(caller, SessionCaller | AppKey):
        return await device_apps.index(house, caller, query, told)

    async def fetch(after: str, limit: int) -> Sequence[App]:
        if isinstance(caller, AppKey):
            one = await database.read(apps.find, caller.app)
            return [one] if one and one.id > after else []
        return await database.read(apps.page, caller.number, after, limit)

    return await listed(house, caller, query, fetch, view)


@operations.post(
    "/api/apps",
    body=NewApp,
    answers={201: AppView},
    callers=Who.ACCOUNT,
    errors={409: ("too_many_apps",)},
)
async def create(house: House, caller: SessionCaller, body: NewApp) -> Response:
    """A new app."""
    made = await house.ports.database.write(_create, house, caller, body)
    return shown(made, 201, {"Location": f"/api/apps/{made.id}"})


async def _create(tx: Tx, house: House, caller: SessionCaller, body: NewApp) -> App:
    settings, ports = house.settings.accounts, house.ports
    if await apps.count_locked(tx, caller.number) >= settings.max_apps:
        raise Conflict(f"An account has at most {settings.max_apps} apps.", code="too_many_apps")
    return await apps.create(
        tx, ports.ids.mint(), caller.number, body.name, settings.plan, ports.clock.wall()
    )


@operations.get(
    "/api/apps/{app_id}",
    query=Looking,
    answers={200: AppView},
    callers=Who.ANYONE,
    scope=Scope.READ,
    errors={
        403: ("wrong_caller",),
        404: ("unknown_device",),
        422: ("ambiguous_device", "which_device"),
        429: LIMITED,
    },
)
async def one(house: House, caller: Caller, app_id: str, query: Looking) -> Response:
    """One of your apps; or one that a device is in, as above."""
    if not isinstance(caller, SessionCaller | AppKey):
        return rendered(told(await device_apps.one(house, caller, app_id, query)))
    return shown(await house.ports.database.read(own, caller, app_id))


@operations.patch(
    "/api/apps/{app_id}",
    body=AppChange,
    answers={200: AppView},
    callers=Who.ACCOUNT,
    headers=("If-Match",),
)
async def change(house: House, caller: Caller, app_id: str, body: AppChange) -> Response:
    """Change an app. Fields that are left out stay as they are."""
    expected, now = etag.expected(), house.ports.clock.wall()
    return shown(await house.ports.database.write(_change, caller, app_id, body, expected, now))


async def _change(
    tx: Tx, caller: Caller, app_id: str, body: AppChange, expected: Expected, now: float
) -> App:
    app = await own(tx, caller, app_id)
    expected.check(app.version)
    return await changed(tx, app, app.name if body.name is UNSET else body.name, app.plan, now)


async def changed(tx: Tx, app: App, name: str, plan: str, now: float) -> App:
    """The app as it is now; Stale if somebody else was quicker."""
    found = await apps.change(tx, app, name, plan, now)
    if found is None:
        raise Stale("It was changed at the same time: get it again.")
    return found


@operations.delete(
    "/api/apps/{app_id}", answers={204: None}, callers=Who.ACCOUNT, headers=("If-Match",)
)
async def delete(house: House, caller: Caller, app_id: str) -> Response:
    """Delete an app, its keys and its instances at once; all else that is in it goes later."""
    ports = house.ports
    names, gone = await ports.database.write(
        _delete, caller, app_id, etag.expected(), ports.clock.wall()
    )
    house.known.drop(*names)
    for instance in gone:
        dismiss(house.registrar.directory, house.registry, instance)
    return nothing()


async def _delete(
    tx: Tx, caller: Caller, app_id: str, expected: Expected, now: float
) -> tuple[list[str], list[wanted.Wanted]]:
    app = await own(tx, caller, app_id)
    expected.check(app.version)
    await apps.delete(tx, app.number, now)
    names = await api_keys.revoke_all(tx, app.number, now)
    return names, await closure.seal_off(tx, app.id, now)

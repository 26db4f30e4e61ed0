"""/api/devices/{device_id}: a device, as it sees itself and as the apps see it that it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType

from booper.api import etag
from booper.api.apps import own as own_app
from booper.api.pages import Listed, Page, listed
from booper.api.registration import Name, Person, operations
from booper.api.render import Moment, moment, nothing, rendered
from booper.domain.caller import AppKey, Caller, DeviceCaller, Scope, SessionCaller, Who
from booper.domain.errors import Invalid, NotFound, Refused, Stale
from booper.store import devices, members
from booper.store.devices import Device, Traits
from booper.store.members import Member

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart import Response

    from booper.api.etag import Expected
    from booper.api.house import House
    from booper.ports import Tx

_SEE = Who.DEVICE | Who.APP | Who.ACCOUNT


class DeviceView(msgspec.Struct, frozen=True):
    """A device, never its device token. `gone_at`: its provider has called it dead since then, and
    nothing is sent to it. `user_id`, `identifier`: what the app calls whoever uses it."""

    id: str
    provider: str
    instance: str
    platform: str
    locale: str
    app_version: str
    registered_at: Moment
    gone_at: Moment | None
    gone_reason: str | None
    user_id: str | None = None
    identifier: str | None = None


class DeviceChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays; null is none. `user_id` and `identifier` are the app's to change."""

    platform: Name | UnsetType = UNSET
    locale: Name | UnsetType = UNSET
    app_version: Name | UnsetType = UNSET
    user_id: Person | UnsetType | None = UNSET
    identifier: Person | UnsetType | None = UNSET


class InApp(Page, frozen=True, forbid_unknown_fields=True):
    """`app_id`: which app's, for a person; `user_id`: those of one of its users."""

    app_id: str | None = None
    user_id: str | None = None


class _Seen(msgspec.Struct, frozen=True):
    """A device as a caller may see it: `member`, in the app for which it looks."""

    device: Device
    member: Member | None

    @property
    def id(self) -> str:
        return self.member.id if self.member else self.device.id


def _view(seen: _Seen) -> DeviceView:
    device, member = seen.device, seen.member
    return DeviceView(
        device.id,
        device.provider,
        device.instance,
        device.platform,
        device.locale,
        device.app_version,
        moment(device.registered_at),
        moment(device.gone_at),
        device.gone_reason,
        (member.user_id or None) if member else None,
        (member.identifier or None) if member else None,
    )


def _shown(seen: _Seen) -> Response:
    return rendered(_view(seen), 200, {"ETag": etag.tag(seen.device.version)})


async def reach(tx: Tx, caller: Caller, device_id: str) -> _Seen:
    """The device that calls, or one in the caller's app; NotFound for any other, as for none."""
    device = await devices.one(tx, device_id)
    member: Member | None = None
    match caller:
        case DeviceCaller():
            found = device is not None and device.number == caller.number
        case AppKey():
            member = await members.find(tx, caller.number, device.number if device else 0)
            found = member is not None
        case SessionCaller():
            member = await members.owned(tx, caller.number, device.number if device else 0)
            found = member is not None
        case _:
            found = False
    if device is None or not found:
        raise NotFound("There is no such thing.")
    return _Seen(device, member)


@operations.get(
    "/api/devices",
    query=InApp,
    answers={200: Listed[DeviceView]},
    callers=Who.APP | Who.ACCOUNT,
    scope=Scope.READ,
    errors={404: ("not_found",), 422: ("missing_app_id",)},
)
async def index(house: House, caller: AppKey | SessionCaller, query: InApp) -> Response:
    """The devices of your app."""
    database = house.ports.database
    app_id = query.app_id.lower() if query.app_id is not None else None
    if app_id is None and not isinstance(caller, AppKey):
        raise Invalid("Say which app: app_id.", code="missing_app_id", pointer="/app_id")
    app = await database.read(own_app, caller, app_id or getattr(caller, "app", ""))

    async def fetch(after: str, limit: int) -> Sequence[_Seen]:
        return await database.read(_page, app.number, query.user_id, after, limit)

    return await listed(house, caller, query, fetch, _view)


async def _page(tx: Tx, app: int, user_id: str | None, after: str, limit: int) -> list[_Seen]:
    found = []
    for member in await members.page(tx, app, user_id, after, limit):
        device = await devices.numbered(tx, member.device)
        if device is not None:
            found.append(_Seen(device, member))
    return found


@operations.get(
    "/api/devices/{device_id}", answers={200: DeviceView}, callers=_SEE, scope=Scope.READ
)
async def one(house: House, caller: Caller, device_id: str) -> Response:
    """A device: itself, or one in your app."""
    return _shown(await house.ports.database.read(reach, caller, device_id))


@operations.patch(
    "/api/devices/{device_id}",
    body=DeviceChange,
    answers={200: DeviceView},
    callers=_SEE,
    scope=Scope.DEVICES,
    headers=("If-Match",),
    errors={403: ("needs_app_key",)},
)
async def change(house: House, caller: Caller, device_id: str, body: DeviceChange) -> Response:
    """Change what is known of a device. Fields that are left out stay as they are.

    For a new device token, register again with the device's own secret.
    """
    expected = etag.expected()
    return _shown(await house.ports.database.write(_change, caller, device_id, body, expected))


async def _change(
    tx: Tx, caller: Caller, device_id: str, body: DeviceChange, expected: Expected
) -> _Seen:
    seen = await reach(tx, caller, device_id)
    device, member = seen.device, seen.member
    expected.check(device.version)
    names = (body.user_id, body.identifier)
    if member is None and any(name is not UNSET for name in names):
        raise Refused("Only the app's key says whose device this is.", code="needs_app_key")
    traits = Traits(
        device.platform if body.platform is UNSET else body.platform,
        device.locale if body.locale is UNSET else body.locale,
        device.app_version if body.app_version is UNSET else body.app_version,
    )
    changed = await devices.describe(tx, device, traits)
    if changed is None:
        raise Stale("It was changed at the same time: get it again.")
    if member is not None:
        new = member._replace(
            user_id=member.user_id if body.user_id is UNSET else body.user_id or "",
            identifier=member.identifier if body.identifier is UNSET else body.identifier or "",
        )
        await members.rename(tx, member, new.user_id, new.identifier)
        member = new
    return _Seen(changed, member)


@operations.delete(
    "/api/devices/{device_id}",
    answers={204: None},
    callers=_SEE,
    scope=Scope.DEVICES,
    headers=("If-Match",),
)
async def delete(house: House, caller: Caller, device_id: str) -> Response:
    """Forget a device and all that it listens to; for an app, take it out of the app alone."""
    now = house.ports.clock.wall()
    name = await house.ports.database.write(_delete, caller, device_id, etag.expected(), now)
    if name is not None:
        house.known.drop(name)
    return nothing()


async def _delete(
    tx: Tx, caller: Caller, device_id: str, expected: Expected, now: float
) -> str | None:
    """The name of the secret that is good no more."""
    seen = await reach(tx, caller, device_id)
    expected.check(seen.device.version)
    if seen.member is not None:
        await members.leave(tx, seen.member.app, seen.device.number)
        return None
    await devices.delete(tx, seen.device.number, "deleted", now)
    return seen.device.secret_name

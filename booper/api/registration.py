"""POST /api/devices: a device introduces itself, and gets the secret that proves it later.

A device token is an address, and an address is no secret. So whoever merely knows one learns the
device's id and gets nothing more; a token that its provider has called dead belongs to a new device
when it comes back, unless the old one proves itself: nobody inherits subscriptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta
from quart import request

from booper.api import device_tokens
from booper.api.device_tokens import DeviceToken, PushSubscription
from booper.api.operation import Operations
from booper.domain import credential
from booper.domain.caller import AppKey, Caller, DeviceCaller, Scope, Who
from booper.domain.credential import Credential
from booper.domain.errors import Conflict, Invalid, NotFound, Refused
from booper.store import apps, devices, members
from booper.store.devices import Device, Registration, Traits

if TYPE_CHECKING:
    from booper.api.house import House
    from booper.ports import Tx

operations = Operations("devices")

Name = Annotated[str, Meta(max_length=64)]
Person = Annotated[str, Meta(min_length=1, max_length=256)]


class NewDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either its `device_token` or, for Web Push, its `subscription`. `instance`: the provider
    instance that sends to it, else its provider's default.

    `user_id`, `identifier`: the app's own names of whoever uses it; only the app's key gives them.
    """

    provider: Name
    device_token: DeviceToken | None = None
    subscription: PushSubscription | None = None
    instance: Name = ""
    platform: Name | None = None
    locale: Name | None = None
    app_version: Name | None = None
    app_id: Name | None = None
    user_id: Person | None = None
    identifier: Person | None = None


class Registered(msgspec.Struct, frozen=True):
    """The device's id here; the same for the same device token. `secret`: what it proves itself
    with (`Authorization: Device <id>.<secret>`); null for whoever has not proved to be its owner.
    """

    id: str
    secret: str | None = None

    def __repr__(self) -> str:
        return f"Registered({self.id})"


class _Wanted(msgspec.Struct, frozen=True):
    """A registration as it goes into one transaction."""

    caller: Caller
    new: Registration
    body: NewDevice
    secret: Credential
    now: float


class _Done(msgspec.Struct, frozen=True):
    """The device, whether the new secret is its own, and the name of a secret good no more."""

    device: Device
    fresh: bool = False
    replaced: str | None = None


_ERRORS = {
    403: ("needs_app_key",),
    404: ("not_found",),
    409: ("device_token_taken",),
    422: (*device_tokens.WRONG, "unknown_instance"),
}


@operations.post(
    "/api/devices",
    body=NewDevice,
    answers={201: Registered},
    callers=Who.ANYONE,
    scope=Scope.DEVICES,
    errors=_ERRORS,
)
@operations.post(
    "/api/identities",
    body=NewDevice,
    answers={201: Registered},
    callers=Who.ANYONE,
    scope=Scope.DEVICES,
    errors=_ERRORS,
)
@operations.post(
    "/api/identify",
    body=NewDevice,
    answers={201: Registered},
    callers=Who.ANYONE,
    scope=Scope.DEVICES,
    errors=_ERRORS,
)
async def register(house: House, caller: Caller, body: NewDevice) -> Registered:
    """Register a device by the device token it has from its provider; again changes nothing.

    A device that proves itself gives its new device token here, and stays who it is. An app's key
    takes the device into its app. The device secret is shown to a new device, and to one that
    proves itself by it.
    """
    token = await device_tokens.spelled(house, body.provider, body.device_token, body.subscription)
    if body.instance and house.registrar.directory.resolve(body.provider, body.instance) is None:
        raise Invalid(
            f"There is no {body.provider} instance {body.instance!r}.",
            code="unknown_instance",
            pointer="/instance",
        )
    ports = house.ports
    kept = await house.ports.device_tokens.keep(token)
    new = Registration(
        ports.ids.mint(), body.provider, body.instance, kept.fingerprint, kept.sealed
    )
    secret = credential.minted(credential.DEVICE, ports.ids.secret(credential.ENTROPY))
    wanted = _Wanted(caller, new, body, secret, ports.clock.wall())
    done = await ports.database.write(_register, wanted)
    if done.replaced is not None:
        house.known.drop(done.replaced)
    if isinstance(caller, DeviceCaller):
        given = request.headers["Authorization"].rpartition(" ")[2].rpartition(".")[2]
        return Registered(done.device.id, given)
    return Registered(done.device.id, secret.spelled().reveal() if done.fresh else None)


async def _register(tx: Tx, wanted: _Wanted) -> _Done:
    if isinstance(wanted.caller, DeviceCaller):
        done = await _proved(tx, wanted, wanted.caller)
    else:
        done = await _introduced(tx, wanted)
    await _join(tx, wanted, done.device)
    return done


async def _proved(tx: Tx, wanted: _Wanted, caller: DeviceCaller) -> _Done:
    """The device that calls, at its perhaps new device token."""
    new = wanted.new
    own = await devices.numbered(tx, caller.number)
    if own is None:
        raise NotFound("There is no such thing.")
    replaced = None
    other = await devices.known(tx, new.provider, new.instance, new.fingerprint)
    if other is not None and other.number != own.number:
        if other.gone_at is None:
            raise Conflict(
                "Another device has this device token: delete that one first, by its own secret.",
                code="device_token_taken",
            )
        await devices.delete(tx, other.number, "replaced", wanted.now)
        replaced = other.secret_name
    await devices.move(tx, own.number, new, wanted.now)
    before, body = own, wanted.body
    traits = Traits(
        before.platform if body.platform is None else body.platform,
        before.locale if body.locale is None else body.locale,
        before.app_version if body.app_version is None else body.app_version,
    )
    moved = await devices.numbered(tx, own.number)
    described = (moved and await devices.describe(tx, moved, traits)) or own
    return _Done(described, replaced=replaced)


async def _introduced(tx: Tx, wanted: _Wanted) -> _Done:
    """The device of somebody who proves nothing."""
    new, body, now, replaced = wanted.new, wanted.body, wanted.now, None
    traits = Traits(body.platform or "", body.locale or "", body.app_version or "")
    found = await devices.known(tx, new.provider, new.instance, new.fingerprint)
    if found is not None and found.secret_name is None:
        # From before there were secrets: the first to come back gets it.
        await devices.move(tx, found.number, new, now)
        return _Done(found, await devices.claim(tx, found.number, wanted.secret))
    if found is not None and found.gone_at is not None:
        if isinstance(wanted.caller, AppKey) and await members.find(
            tx, wanted.caller.number, found.number
        ):
            await devices.move(tx, found.number, new, now)
            return _Done(found)
        await devices.delete(tx, found.number, "replaced", now)
        replaced, found = found.secret_name, None
    if found is None:
        made = await devices.create(tx, new, traits, wanted.secret, now)
        if made is not None:
            return _Done(made, fresh=True, replaced=replaced)
        found = await devices.known(tx, new.provider, new.instance, new.fingerprint)
    if found is None:  # made and deleted by others meanwhile: nothing to hold on to
        raise Conflict("It was changed at the same time: try again.", code="device_token_taken")
    return _Done(found)


async def _join(tx: Tx, wanted: _Wanted, device: Device) -> None:
    """Into the app, if one is meant: by its key; or nothing new, for a device that is in it."""
    caller, body = wanted.caller, wanted.body
    app_id = body.app_id.lower() if body.app_id is not None else None
    names = (body.user_id or "", body.identifier or "")
    if isinstance(caller, AppKey):
        if app_id not in (None, caller.app):
            raise NotFound("There is no such thing.")
        await members.join(tx, caller.number, device.number, *names, wanted.now)
    elif app_id is not None or any(names):
        app = await apps.find(tx, app_id) if app_id and isinstance(caller, DeviceCaller) else None
        member = await members.find(tx, app.number, device.number) if app else None
        if member is None or any(
            name not in ("", old)
            for name, old in zip(names, (member.user_id, member.identifier), strict=True)
        ):
            raise Refused(
                "Only the app's key says whose device this is; or use an access code.",
                code="needs_app_key",
            )

"""Rooms: which channel a caller means by a name or an id, and which device; and what it may know.

A public channel is anybody's to see. An app's is its key's and its owner's; a device sees it that
was let in (by an access code), and, once it has proved itself by its secret, also one that it
merely listens to. What a caller may not see is as if it were not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
from msgspec import Meta

from booper.api import device_tokens, gate
from booper.domain.caller import AppKey, ChannelHolder, DeviceCaller, Operator, SessionCaller
from booper.domain.channel import channel_name
from booper.domain.errors import Invalid, NotFound, Refused
from booper.store import channels, devices, members, subscriptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.api.house import House
    from booper.domain.caller import Caller
    from booper.ports import Tx
    from booper.store.channels import Channel

Ref = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
AppId = Annotated[str, Meta(max_length=64)]
DEVICE_ERRORS = {404: ("unknown_device",), 422: ("which_device", "ambiguous_device")}


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A device as somebody names it: by its device token (of that provider), or by its id here.
    None of them, where it proves itself by its secret."""

    device_token: device_tokens.DeviceToken | None = None
    device_id: Annotated[str, Meta(max_length=64)] | None = None
    provider: Annotated[str, Meta(max_length=64)] | None = None

    @property
    def anything(self) -> bool:
        """Whether it names one at all."""
        return self.device_token is not None or self.device_id is not None


class Meant(NamedTuple):
    """A `Named` on its way into a transaction: with what its device token is found by."""

    named: Named
    marks: Sequence[str]


class Listener(NamedTuple):
    """A device (its row number), and whether it `proved` itself by its secret or was at least
    `addressed` by its device token; by its id, it is nothing but named."""

    number: int
    proved: bool
    addressed: bool


async def meant(house: House, named: Named) -> Meant:
    """What has to be known before the transaction."""
    return Meant(named, await device_tokens.fingerprints(house, named.device_token or ""))


async def listener(tx: Tx, caller: Caller, meant: Meant) -> Listener:
    """The one device that is meant; NotFound for none, Invalid if it may be several."""
    named = meant.named
    own = caller.number if isinstance(caller, DeviceCaller) else None
    if own is not None and not named.anything:
        return Listener(own, proved=True, addressed=True)
    if (named.device_id is None) == (named.device_token is None):
        raise Invalid("Name the device by device_id or by device_token.", code="which_device")
    if named.device_id is not None:
        number = await devices.find(tx, gate.identifier(named.device_id))
        found = [] if number is None else [number]
    else:
        found = await addressed(tx, meant)
    if own in found:
        return Listener(own or 0, proved=True, addressed=True)
    if not found or own is not None:
        raise no_device()
    if len(found) > 1:
        raise Invalid(
            "Several devices have this device_token: name its provider too, or one by device_id.",
            code="ambiguous_device",
            pointer="/device_token",
        )
    return Listener(found[0], proved=False, addressed=named.device_token is not None)


async def addressed(tx: Tx, meant: Meant) -> list[int]:
    """The devices (row numbers) that have the device token."""
    provider = meant.named.provider or ""
    found = [n for one in meant.marks for n in await devices.find_by_token(tx, one, provider)]
    return list(dict.fromkeys(found))


async def channel(
    tx: Tx,
    caller: Caller,
    ref: str,
    app_id: str | None = None,
    who: Listener | None = None,
    pointer: str = "",
) -> Channel:
    """The channel that the caller means (`app_id`: in which app), if it or the device `who` may see
    it; else NotFound."""
    name = channel_name(ref, pointer)
    app_id = app_id.lower() if app_id is not None else None
    if isinstance(caller, AppKey):
        if app_id not in (None, caller.app):
            raise no_channel(pointer)
        app_id = caller.app
    found = await channels.named(tx, name, app_id)
    if found is None or not (_open(caller, found) or await _let_in(tx, who, found)):
        raise no_channel(pointer)
    return found


def _open(caller: Caller, found: Channel) -> bool:
    return found.app is None or owns(caller, found)


def owns(caller: Caller, found: Channel) -> bool:
    """Whether the channel is the caller's own: its app's, or held by its secret."""
    match caller:
        case Operator():
            return True
        case AppKey():
            return found.app == caller.number
        case SessionCaller():
            return found.account == caller.number
        case ChannelHolder():
            return found.number == caller.number
        case _:
            return False


def owned(caller: Caller, found: Channel) -> Channel:
    """The same channel, if it is the caller's own; else Refused (it may see it, it is public)."""
    if owns(caller, found):
        return found
    raise Refused(
        "This channel belongs to whoever holds its secret: Authorization: Bearer bcs_…",
        code="not_your_channel",
    )


async def _let_in(tx: Tx, who: Listener | None, found: Channel) -> bool:
    if who is None or not who.addressed:
        return False
    seen = await subscriptions.sees(tx, who.number, found.number, all_of_it=who.proved)
    return seen is not None


async def member(tx: Tx, caller: Caller, found: Channel, who: Listener) -> None:
    """Nothing, unless an app wants to decide for a device that is not in it: NotFound."""
    if found.app is None or isinstance(caller, DeviceCaller) or not owns(caller, found):
        return
    if await members.find(tx, found.app, who.number) is None:
        raise no_device()


def no_channel(pointer: str = "") -> NotFound:
    """What somebody hears who means a channel that is not there."""
    return NotFound("There is no such channel.", code="unknown_channel", pointer=pointer)


def no_device() -> NotFound:
    """The same for a device."""
    return NotFound("There is no such device.", code="unknown_device")

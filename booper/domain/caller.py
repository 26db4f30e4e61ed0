"""Caller: who is asking, named once for each request, and who may call what.

The first credential that is presented says who it is: a session, an API key, a device. One that is
presented and not good is refused, never taken for less; only who presents none is anonymous.
"""

from __future__ import annotations

from enum import Flag, StrEnum, auto

import msgspec

from booper.domain.errors import Refused, Unauthenticated


class Role(StrEnum):
    """What an account is here: its own apps, or the whole house as well."""

    MEMBER = "member"
    OPERATOR = "operator"


class Scope(StrEnum):
    """What an API key may be good for, within its app."""

    NOTIFY = "notify"  # send and cancel
    READ = "read"  # list and look
    CHANNELS = "channels"  # make and change channels and subscriptions
    DEVICES = "devices"  # register, change and delete devices
    ACCESS_CODES = "access_codes"  # hand out codes


class Anonymous(msgspec.Struct, frozen=True):
    """Nobody in particular."""


class Operator(msgspec.Struct, frozen=True):
    """Whoever holds the admin key, or sits at this machine while there is none."""


class SessionCaller(msgspec.Struct, frozen=True):
    """A person at the dashboard; `number`: the account's row, `session`: the session's id."""

    number: int
    account: str
    role: Role
    session: str


class AppKey(msgspec.Struct, frozen=True):
    """An app's own server; `number`: the app's row, `app`: its id, `key`: the key's id."""

    number: int
    app: str
    plan: str
    key: str
    scopes: frozenset[Scope]


class DeviceCaller(msgspec.Struct, frozen=True):
    """A device that proved itself by its device secret; `number`: its row."""

    number: int
    device: str


class ChannelHolder(msgspec.Struct, frozen=True):
    """Whoever made a public channel and holds its secret; `number`: its row, `channel`: its id."""

    number: int
    channel: str


class Publisher(msgspec.Struct, frozen=True):
    """Whoever holds the publish key of a public channel, and may speak in it; as above."""

    number: int
    channel: str


Caller = Anonymous | Operator | SessionCaller | AppKey | DeviceCaller | ChannelHolder | Publisher


class Who(Flag):
    """Which callers a route is for. UNASKED: it does not even look at credentials."""

    UNASKED = 0
    ANYONE = auto()
    DEVICE = auto()
    APP = auto()
    ACCOUNT = auto()
    OPERATOR = auto()
    CHANNEL = auto()


def admit(caller: Caller, who: Who, scope: Scope | None = None) -> None:
    """Nothing, if the caller may call; else Unauthenticated or Refused, with what would help.

    `scope`: what an API key needs to be good for; other callers need none.
    """
    if isinstance(caller, AppKey) and who & (Who.APP | Who.ANYONE):
        if scope is not None and scope not in caller.scopes:
            raise Refused(f"This key is not good for {scope.value}.", code="missing_scope")
        return
    if who & (_places(caller) | Who.ANYONE):
        return
    if isinstance(caller, Anonymous):
        raise Unauthenticated("Say who you are: Authorization: Bearer …")
    if who is Who.OPERATOR:
        raise Refused("This is for operators.", code="operators_only")
    raise Refused("This is not for this kind of caller.", code="wrong_caller")


def _places(caller: Caller) -> Who:
    match caller:
        case SessionCaller(role=Role.OPERATOR):
            return Who.ACCOUNT | Who.OPERATOR
        case SessionCaller():
            return Who.ACCOUNT
        case Operator():
            return Who.OPERATOR
        case DeviceCaller():
            return Who.DEVICE
        case ChannelHolder():
            return Who.CHANNEL
        case _:
            return Who.UNASKED


def identity(caller: Caller) -> str:
    """What tells one caller from another, whichever of its credentials it used."""
    match caller:
        case SessionCaller():
            return f"account {caller.account}"
        case AppKey():
            return f"app {caller.app}"
        case DeviceCaller():
            return f"device {caller.device}"
        case Operator():
            return "operator"
        case ChannelHolder():
            return f"channel {caller.channel}"
        case Publisher():
            return f"publisher {caller.channel}"
        case _:
            return ""

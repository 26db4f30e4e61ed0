"""What every provider's codec promises. Who knows one knows all.

A codec compiles (content, credential) once for a notification, and then either stamps each device
into a template, for a provider behind HTTP/2 (StampCodec), or packs the devices into whole HTTP/1.1
requests (ParcelCodec). It reads each answer into an Outcome. It never opens a socket and never asks
for the time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

from booper.domain.access import AccessToken as AccessToken
from booper.domain.outcome import Outcome
from booper.domain.secret import Secret
from booper.wire import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from booper.domain.content import Content
    from booper.domain.delivery import Target
    from booper.providers.recipes import Recipe
    from booper.wire import Answer, Endpoint, Outlet, Stamp, Template


# Under this name an app finds the notification's id in its data, to confirm it by; `data` of the
# same name goes before.
NOTIFICATION_ID = "notification_id"


def standing(text: Secret | None, now: float) -> AccessToken:
    """The access token of a provider that wants a fixed key, or none: it is never renewed."""
    return AccessToken(text or Secret(""), now, math.inf)


class Occasion(msgspec.Struct, frozen=True):
    """Which notification a message is: its id, when it was said (or was to be said, if later; Unix
    seconds), and how many seconds ago that is now."""

    id: str
    created_at: float
    age: float = 0.0

    def left(self, ttl: int) -> int:
        """What is left of so many seconds: a second try must not live longer than the first."""
        return max(ttl - int(max(self.age, 0.0)), 0)


class Compiled(Protocol):
    """One notification made ready for any number of devices of one instance."""

    template: Template

    @property
    def refuse(self) -> Callable[[Target], Outcome | None] | None:
        """Why a target can never be sent this, if so. None, nearly always: all of them can be."""
        ...

    def stamps(self, targets: Sequence[Target]) -> list[Stamp]:
        """One stamp per target, in order."""
        ...


class Parcel(msgspec.Struct, frozen=True, eq=False):
    """One request and whom it is for: `places` are indexes into the targets handed over."""

    places: tuple[int, ...]
    request: Request


class Unsendable(msgspec.Struct, frozen=True, eq=False):
    """A target for which no request is made, and why."""

    place: int
    outcome: Outcome


class Parcels(Protocol):
    """One notification made ready to be packed for the devices of one instance."""

    def pack(self, targets: Sequence[Target]) -> Iterable[Parcel | Unsendable]:
        """Each target in exactly one parcel, or unsendable.

        Make it a generator where packing takes processor time: who pulls lets others run between
        two parcels.
        """
        ...

    def read(self, parcel: Parcel, answer: Answer) -> Sequence[Outcome] | Sequence[Parcel]:
        """One outcome per place, in order; or smaller parcels for the same places, to be sent
        instead (at most ten times in a row). Never raises."""
        ...


class Minting(Protocol):
    """The part of a codec that has to do with its credential."""

    def mint(self, now: float) -> AccessToken:
        """A new access token, signed at `now` (Unix seconds)."""
        ...

    def renewable(self, refusal: Outcome, age: float) -> bool:
        """Whether, after this refusal of a token `age` seconds old, a new one is worth a try."""
        ...


@runtime_checkable
class Resolving(Protocol):
    """A codec whose access tokens may have to be asked for."""

    recipe: Recipe | str | None
    """How its resolver comes by them, or the name of an operator's resolver; None: it mints."""


@runtime_checkable
class StampCodec(Minting, Protocol):
    """One configured instance's way of speaking to a provider behind HTTP/2."""

    endpoint: Endpoint

    def compile(
        self, content: Content, occasion: Occasion, access: AccessToken
    ) -> Compiled | Outcome:
        """The message made ready, or the outcome of every device if it can never be sent."""
        ...

    def read(self, answer: Answer) -> Outcome:
        """What an answer means: a row of the error → action table. Never raises."""
        ...


@runtime_checkable
class ParcelCodec(Minting, Protocol):
    """One configured instance's way of speaking to a provider, or to many, behind HTTP/1.1."""

    outlet: Outlet

    def compile(
        self, content: Content, occasion: Occasion, access: AccessToken
    ) -> Parcels | Outcome:
        """The message made ready, or the outcome of every device if it can never be sent."""
        ...


Codec = StampCodec | ParcelCodec


class Provider(Protocol):
    """A kind of push service."""

    name: str
    config: type[msgspec.Struct]
    """An instance's settings; what is a Secret there is never shown."""
    nobody: str | None
    """A device token that is nobody's, to try a credential with; None: it cannot be tried."""

    def device_token(self, text: str) -> str:
        """A device token in its one spelling, or Invalid."""
        ...

    def codec(self, name: str, table: dict[str, object]) -> Codec:
        """The codec of an instance's settings, its credential tried; else Misconfigured."""
        ...


@runtime_checkable
class Publishing(Protocol):
    """A provider of whose credential a part is public, and wanted by others."""

    def published(self, settings: Mapping[str, object]) -> dict[str, str]:
        """That part, by name, of settings that were proved; else Misconfigured."""
        ...


@runtime_checkable
class Addressed(Protocol):
    """A provider whose device tokens may be addresses of servers that anybody runs."""

    def address(self, device_token: str) -> tuple[str, str] | None:
        """The URL to which messages for a device token (in its one spelling) go, and the JSON
        pointer of its place in the token; None if the provider alone knows where they go."""
        ...

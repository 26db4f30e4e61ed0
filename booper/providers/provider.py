"""What every provider's codec promises. Who knows one knows all.

A codec compiles (content, credential) once for a notification, stamps each device into it, and
reads each answer into an Outcome. It never opens a socket and never asks for the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from booper.domain.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.content import Content
    from booper.domain.delivery import Target
    from booper.domain.outcome import Outcome
    from booper.wire import Answer, Endpoint, Stamp, Template


class AccessToken(msgspec.Struct, frozen=True, eq=False):
    """What a provider wants to see with each request; `renew_at` in Unix seconds."""

    text: Secret
    minted_at: float
    renew_at: float


class Occasion(msgspec.Struct, frozen=True):
    """Which notification a message is: its id, when it was made, when it stops being tried."""

    id: str
    created_at: float


class Compiled(Protocol):
    """One notification made ready for any number of devices of one instance."""

    template: Template

    def stamps(self, targets: Sequence[Target]) -> list[Stamp]:
        """One stamp per target, in order."""
        ...


class Codec(Protocol):
    """One configured instance's way of speaking to its provider."""

    endpoint: Endpoint

    def mint(self, now: float) -> AccessToken:
        """A new access token, signed at `now` (Unix seconds)."""
        ...

    def renewable(self, refusal: Outcome, age: float) -> bool:
        """Whether, after this refusal of a token `age` seconds old, a new one is worth a try."""
        ...

    def compile(
        self, content: Content, occasion: Occasion, access: AccessToken
    ) -> Compiled | Outcome:
        """The message made ready, or the outcome of every device if it can never be sent."""
        ...

    def read(self, answer: Answer) -> Outcome:
        """What an answer means: a row of the error → action table. Never raises."""
        ...


class Provider(Protocol):
    """A kind of push service."""

    name: str

    def device_token(self, text: str) -> str:
        """A device token in its one spelling, or Invalid."""
        ...

    def codec(self, name: str, table: dict[str, object]) -> Codec:
        """The codec of an instance's settings, its credential tried; else Misconfigured."""
        ...

"""Codecs with bugs, to show that one in an instance harms no other. For benchmarks and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain.outcome import Outcome
from booper.providers.provider import StampCodec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.content import Content
    from booper.domain.delivery import Target
    from booper.providers.provider import AccessToken, Codec, Compiled, Occasion
    from booper.wire import Answer, Stamp

PLACES = ("mint", "compile", "stamps", "read")


class Crashing:
    """A codec with a bug that shows each time it is used, at one of PLACES."""

    def __init__(self, codec: Codec, place: str) -> None:
        if not isinstance(codec, StampCodec):
            raise TypeError("only codecs of stamps can be given this bug")
        self._codec = codec
        self._place = place
        self.endpoint = codec.endpoint

    def mint(self, now: float) -> AccessToken:
        self.step("mint")
        return self._codec.mint(now)

    def compile(
        self, content: Content, occasion: Occasion, access: AccessToken
    ) -> Compiled | Outcome:
        self.step("compile")
        made: Compiled | Outcome = self._codec.compile(content, occasion, access)
        if isinstance(made, Outcome) or self._place != "stamps":
            return made
        return _Stamping(self, made)

    def renewable(self, refusal: Outcome, age: float) -> bool:
        return self._codec.renewable(refusal, age)

    def read(self, answer: Answer) -> Outcome:
        self.step("read")
        return self._codec.read(answer)

    def step(self, place: str) -> None:
        """ZeroDivisionError at the place of the bug."""
        if place == self._place:
            raise ZeroDivisionError("a bug in a codec")


class _Stamping:
    """What such a codec compiled, if it cannot stamp."""

    def __init__(self, codec: Crashing, compiled: Compiled) -> None:
        self._codec = codec
        self.template = compiled.template
        self.refuse = compiled.refuse

    def stamps(self, targets: Sequence[Target]) -> list[Stamp]:  # noqa: ARG002
        self._codec.step("stamps")
        return []

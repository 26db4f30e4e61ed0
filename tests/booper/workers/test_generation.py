"""A generation compiles a notification once, and anew when what is left of its life has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec
import trio

from booper.domain.content import Content
from booper.domain.delivery import Batch, Target
from booper.domain.outcome import ACCEPTED
from booper.providers.provider import Occasion, Parcel, standing
from booper.settings import Delivery
from booper.wire import Answer, Outlet, Reply, Request
from booper.workers.generation import Generation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from booper.domain.outcome import Outcome
    from booper.ports import Ports
    from booper.providers.provider import AccessToken


class Outside:
    """A clock that is set by hand, even dice, and a provider that takes everything."""

    access = None

    def __init__(self) -> None:
        self.now = 1000.0
        self.clock = self.dice = self.transport = self

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def random(self) -> float:
        return 0.5

    def client(self, outlet: Outlet) -> Outside:
        return self

    async def send(self, requests: Sequence[Request], *, timeout: float) -> list[Answer]:
        await trio.lowlevel.checkpoint()
        return [Reply(200, (), b"")] * len(requests)

    async def run(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Codec:
    """Remembers what it was asked to compile."""

    outlet = Outlet()

    def __init__(self) -> None:
        self.left: list[int] = []

    def mint(self, now: float) -> AccessToken:
        return standing(None, now)

    def renewable(self, refusal: Outcome, age: float) -> bool:
        return False

    def compile(self, content: Content, occasion: Occasion, access: AccessToken) -> Codec:
        self.left.append(occasion.left(content.ttl))
        return self

    def pack(self, targets: Sequence[Target]) -> Iterable[Parcel]:
        for place, _ in enumerate(targets):
            yield Parcel((place,), Request("POST", "https://push.example/x"))

    def read(self, parcel: Parcel, answer: Answer) -> list[Outcome]:
        return [ACCEPTED]


def batch(attempt: int) -> Batch:
    content = msgspec.json.encode(Content(title="t", ttl=3600)).decode()
    targets = (Target(1, "a", 0.0),)
    return Batch(1, "", 1, "n", "i", attempt, content, 1000.0, 90_000.0, targets)


async def test_a_later_try_says_how_long_the_notification_is_still_good_for() -> None:
    outside, codec = Outside(), Codec()
    generation = Generation(1, codec, cast("Ports", outside), Delivery())
    for now, attempt in (
        (1000.0, 1),
        (1030.0, 1),  # the same campaign, a page later: compiled once
        (1030.0, 2),
        (1030.5, 2),  # another page of the same second try
        (2000.0, 3),
        (4599.0, 4),
        (4700.0, 5),
    ):
        outside.now = now
        assert await generation.send(batch(attempt)) == [ACCEPTED]
    assert codec.left == [3600, 3570, 2600, 1, 0]


async def test_a_campaign_that_takes_long_is_compiled_anew_by_the_minute() -> None:
    outside, codec = Outside(), Codec()
    generation = Generation(1, codec, cast("Ports", outside), Delivery())
    for second in range(0, 180, 10):
        outside.now = 1000.0 + second
        await generation.send(batch(1))
    assert codec.left == [3600, 3540, 3480]

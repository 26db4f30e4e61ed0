"""A courier to many push services: what one of them says holds only what goes there."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import trio

from booper.domain.content import Content
from booper.domain.delivery import Target
from booper.domain.outcome import About, Kind, Outcome
from booper.providers.lost import lost
from booper.providers.provider import Occasion, Parcel, standing
from booper.settings import Delivery
from booper.wire import Answer, Lost, Outlet, Reply, Request
from booper.workers.courier import ParcelCourier, courier

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from booper.ports import Ports
    from booper.providers.provider import AccessToken


class Clock:
    now = 0.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


class Dice:
    def random(self) -> float:
        return 0.0


class Services:
    """The client, and what each of the services behind it answers; counts who was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []

    async def send(self, requests: Sequence[Request], *, timeout: float) -> list[Answer]:
        await trio.lowlevel.checkpoint()
        hosts = [request.url.split("/")[2] for request in requests]
        self.asked += hosts
        return [self.answers.get(host, Reply(201, (), b"")) for host in hosts]

    async def run(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Codec:
    """A device's token is the host of its endpoint."""

    outlet = Outlet(guarded=True)

    def mint(self, now: float) -> AccessToken:
        return standing(None, now)

    def renewable(self, refusal: Outcome, age: float) -> bool:
        return False

    def compile(self, content: Content, occasion: Occasion, access: AccessToken) -> Codec:
        return self

    def pack(self, targets: Sequence[Target]) -> Iterable[Parcel]:
        for place, target in enumerate(targets):
            yield Parcel((place,), Request("POST", f"https://{target.token}/x"))

    def read(self, parcel: Parcel, answer: Answer) -> list[Outcome]:
        if isinstance(answer, Lost):
            return [lost(answer)]
        if answer.status == 429:
            return [Outcome(Kind.RETRY, 429, "HTTP 429", after=60.0, about=About.ORIGIN)]
        return [Outcome(Kind.ACCEPTED, answer.status)]


def carrying(
    services: Services, clock: Clock
) -> Callable[[Sequence[Target]], Awaitable[list[Outcome]]]:
    class Ways:
        def client(self, outlet: Outlet) -> Services:
            return services

    class Outside:
        transport = Ways()
        dice = Dice()

    Outside.clock = clock  # type: ignore[attr-defined]
    own = courier(Codec(), cast("Ports", Outside()), Delivery())
    assert isinstance(own, ParcelCourier)
    carry = own.ready(Content(title="t"), Occasion("1", 0.0), standing(None, 0.0))
    return cast("Callable[[Sequence[Target]], Awaitable[list[Outcome]]]", carry)


def to(*hosts: str) -> list[Target]:
    return [Target(number, host, 0.0) for number, host in enumerate(hosts)]


async def test_one_service_that_has_enough_does_not_hold_the_others() -> None:
    services, clock = Services(), Clock()
    carry = carrying(services, clock)
    services.answers["busy.example"] = Reply(429, (), b"")
    first = await carry(to("busy.example", "free.example"))
    assert [outcome.kind for outcome in first] == [Kind.RETRY, Kind.ACCEPTED]
    services.asked.clear()
    clock.now = 20.0
    again = await carry(to("busy.example", "free.example", "busy.example"))
    assert [outcome.kind for outcome in again] == [Kind.HELD, Kind.ACCEPTED, Kind.HELD]
    assert again[0] is again[2], "they wait together"
    assert again[0].after == 40.0
    assert services.asked == ["free.example"]
    clock.now = 60.0
    del services.answers["busy.example"]
    last = await carry(to("busy.example"))
    assert [outcome.kind for outcome in last] == [Kind.ACCEPTED]


async def test_a_silent_service_soon_costs_the_others_nothing() -> None:
    services, clock = Services(), Clock()
    carry = carrying(services, clock)
    services.answers["slow.example"] = Lost(sent=True, reason="deadline")
    for _ in range(3):
        kinds = [o.kind for o in await carry(to("slow.example", "free.example"))]
        assert kinds == [Kind.RETRY, Kind.ACCEPTED]
    services.asked.clear()
    kinds = [o.kind for o in await carry(to("slow.example", "free.example"))]
    assert kinds == [Kind.HELD, Kind.ACCEPTED]
    assert services.asked == ["free.example"]

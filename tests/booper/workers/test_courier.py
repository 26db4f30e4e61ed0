"""Carrying parcels: places, splits, deadlines, and that packing lets others run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
import trio

from booper.domain.content import Content
from booper.domain.delivery import Target
from booper.domain.outcome import ACCEPTED, Kind, Outcome
from booper.providers.lost import lost
from booper.providers.provider import Occasion, Parcel, Unsendable, standing
from booper.settings import Delivery
from booper.wire import Answer, Lost, Outlet, Reply, Request
from booper.workers.courier import ParcelCourier, courier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from booper.ports import Ports
    from booper.providers.provider import AccessToken


class Ticking:
    """A clock that goes on by `step` at each look."""

    def __init__(self, step: float) -> None:
        self._now = 0.0
        self._step = step

    def wall(self) -> float:
        return self.monotonic()

    def monotonic(self) -> float:
        self._now += self._step
        return self._now


class Client:
    """Answers 413 to whatever is longer than `limit` bytes; keeps what was sent."""

    def __init__(self, limit: int = 10_000) -> None:
        self.limit = limit
        self.rounds: list[list[bytes]] = []
        self.timeouts: list[float] = []

    async def send(self, requests: Sequence[Request], *, timeout: float) -> list[Answer]:
        await trio.lowlevel.checkpoint()
        self.rounds.append([request.body for request in requests])
        self.timeouts.append(timeout)
        return [
            Reply(413 if len(request.body) > self.limit else 200, (), b"") for request in requests
        ]

    async def run(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Chunks:
    """A codec of one byte per device, `size` devices a request; "x" cannot be sent."""

    outlet = Outlet()

    def __init__(self, size: int) -> None:
        self._size = size
        self.forgets = False

    def mint(self, now: float) -> AccessToken:
        return standing(None, now)

    def renewable(self, refusal: Outcome, age: float) -> bool:
        return False

    def compile(self, content: Content, occasion: Occasion, access: AccessToken) -> Chunks:
        return self

    def pack(self, targets: Sequence[Target]) -> Iterable[Parcel | Unsendable]:
        places = [place for place, target in enumerate(targets) if target.token != "x"]
        for place, target in enumerate(targets):
            if target.token == "x":
                yield Unsendable(place, Outcome(Kind.GONE, 0, "x"))
        if self.forgets:
            places.pop()
        for at in range(0, len(places), self._size):
            yield self._parcel(tuple(places[at : at + self._size]))

    def read(self, parcel: Parcel, answer: Answer) -> Sequence[Outcome] | Sequence[Parcel]:
        if isinstance(answer, Lost):
            return [lost(answer)] * len(parcel.places)
        if answer.status == 413:
            half = max(len(parcel.places) // 2, 1)
            parts = (parcel.places[:half], parcel.places[half:])
            return [self._parcel(part) for part in parts if part]
        return [Outcome(Kind.ACCEPTED, 200, provider_id=str(place)) for place in parcel.places]

    def _parcel(self, places: tuple[int, ...]) -> Parcel:
        return Parcel(places, Request("POST", "https://push.example/", body=b"." * len(places)))


def targets(tokens: str) -> list[Target]:
    return [Target(number, token, 0.0) for number, token in enumerate(tokens)]


def carried(codec: Chunks, client: Client, step: float = 0.0) -> Callable[..., Any]:
    class Ways:
        def client(self, outlet: Outlet) -> Client:
            assert outlet is codec.outlet
            return client

    class Outside:
        clock = Ticking(step)
        transport = Ways()

    own = courier(codec, cast("Ports", Outside()), Delivery(send_timeout=5.0))
    assert isinstance(own, ParcelCourier)
    carry = own.ready(Content(title="t"), Occasion("1", 0.0), codec.mint(0.0))
    assert not isinstance(carry, Outcome)
    return carry


async def test_every_target_gets_the_outcome_of_its_place() -> None:
    client = Client()
    outcomes = await carried(Chunks(3), client)(targets("aaxaaxa"))
    assert [outcome.provider_id for outcome in outcomes] == ["0", "1", "", "3", "4", "", "6"]
    assert [outcome.kind for outcome in outcomes].count(Kind.GONE) == 2
    assert client.rounds == [[b"...", b".."]]


async def test_what_is_too_big_is_split_until_it_fits() -> None:
    client = Client(limit=2)
    outcomes = await carried(Chunks(10), client, step=0.01)(targets("a" * 10))
    assert [outcome.provider_id for outcome in outcomes] == [str(n) for n in range(10)]
    assert [[len(body) for body in sent] for sent in client.rounds] == [
        [10],
        [5, 5],
        [2, 3, 2, 3],
        [1, 2, 1, 2],
    ]
    assert client.timeouts == sorted(client.timeouts, reverse=True), "one deadline for all"
    assert client.timeouts[0] <= 5.0


async def test_splitting_has_an_end() -> None:
    client = Client(limit=0)
    outcomes = await carried(Chunks(4), client)(targets("aaaa"))
    assert {outcome.kind for outcome in outcomes} == {Kind.RETRY}
    assert len(client.rounds) == 10


async def test_a_codec_that_forgets_somebody_crashes() -> None:
    codec = Chunks(3)
    codec.forgets = True
    with pytest.raises(ValueError, match="7 targets, 6 outcomes"):
        await carried(codec, Client())(targets("a" * 7))


async def test_others_run_while_much_is_packed() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await carried(Chunks(1), Client(), step=0.004)(targets("a" * 90))
        nursery.cancel_scope.cancel()
    assert turns >= 20, "about every third parcel"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Lost(sent=False, reason="connect_failed"), Kind.RETRY),
        (Lost(sent=True, reason="reset"), Kind.RETRY),
        (Lost(sent=False, reason="guarded", detail="no"), Kind.FAILED),
        (Lost(sent=False, reason="invalid_url"), Kind.FAILED),
        (Lost(sent=False, reason="invalid_request"), Kind.FAILED),
    ],
)
def test_a_request_without_an_answer(answer: Lost, kind: Kind) -> None:
    outcome = lost(answer)
    assert (outcome.kind, outcome.maybe_sent) == (kind, answer.sent)
    assert outcome is not ACCEPTED

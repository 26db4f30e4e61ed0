"""Casts never block and are never lost silently; what no handler knows harms nobody."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors import Actor, Call, Cast, MailboxFull, NoActor, Ref, Reply, UnknownMessage

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.conftest import House


@dataclass(frozen=True)
class Add(Cast):
    number: int


@dataclass(frozen=True)
class Numbers(Call[list[int]]):
    pass


@dataclass(frozen=True)
class TimeCalls(Call[float]):
    """Has the actor call another many times; the seconds it took."""

    count: int


@dataclass(frozen=True)
class Secret(Cast):
    """Unknown to everybody."""

    key: str


@dataclass(frozen=True)
class SecretQuestion(Call[int]):
    key: str


class Adder(Actor):
    """Keeps the numbers in the order they came."""

    async def init(self) -> None:
        self.numbers: list[int] = []

    async def handle_cast(self, message: Cast) -> None:
        match message:
            case Add(-1):
                raise ValueError("negative")
            case Add(number):
                self.numbers.append(number)
            case _:
                await super().handle_cast(message)

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        match message:
            case Numbers():
                return self.numbers
            case TimeCalls(count):
                other = Ref(self.registry, "other")
                began = perf_counter()
                for _ in range(count):
                    await other.call(Numbers())
                return perf_counter() - began
            case _:
                return await super().handle_call(message, reply)


async def test_b42_casts_of_one_sender_arrive_in_order(
    house: House, autojump_clock: MockClock
) -> None:
    adder = await house.start(Adder)
    for number in range(100):
        adder.cast(Add(number))
    assert await adder.call(Numbers()) == list(range(100))


async def test_b42_a_cast_to_nobody_is_an_error(house: House, autojump_clock: MockClock) -> None:
    with pytest.raises(NoActor) as error:
        house.ref("nobody").cast(Add(1))
    assert error.value.name == "nobody"


async def test_b42_t15_a_full_mailbox_rejects_to_the_producer_without_blocking(
    house: House, autojump_clock: MockClock
) -> None:
    adder = await house.start(Adder, mailbox_limit=3)
    with trio.testing.assert_no_checkpoints():
        for number in range(3):
            adder.cast(Add(number))
        with pytest.raises(MailboxFull) as error:
            adder.cast(Add(3))
    assert (error.value.name, error.value.limit) == ("one", 3)
    statistics = adder.statistics()
    assert statistics is not None
    assert (statistics.depth, statistics.limit) == (3, 3)
    await trio.testing.wait_all_tasks_blocked()
    assert await adder.call(Numbers()) == [0, 1, 2], "the rejected one was not taken after all"


async def test_b42_a_long_queue_does_not_slow_a_call_path(
    house: House, autojump_clock: MockClock
) -> None:
    """The one behaviour that is about real time; work linear in the queue would cost far more."""
    await house.start(Adder, "other")
    caller = await house.start(Adder, mailbox_limit=200_000)
    unburdened = await caller.call(TimeCalls(300))
    pending = caller.request(TimeCalls(300))
    for number in range(100_000):
        caller.cast(Add(number))
    burdened = await pending.wait()
    statistics = caller.statistics()
    assert statistics is not None
    assert statistics.served < 100, "the queue was long during the calls"
    assert burdened < 10 * unburdened
    assert len(await caller.call(Numbers())) == 100_000


async def test_t17_a_busy_actor_lets_others_run(house: House, autojump_clock: MockClock) -> None:
    adder = await house.start(Adder)
    seen: list[int] = []

    async def bystander() -> None:
        while len(seen) < 5:
            await trio.lowlevel.checkpoint()
            statistics = adder.statistics()
            assert statistics is not None
            seen.append(statistics.served)

    for number in range(1000):
        adder.cast(Add(number))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bystander)
    assert seen[-1] < 200


async def test_b43_an_unknown_cast_is_logged_counted_and_ignored(
    house: House, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    adder = await house.start(Adder)
    with caplog.at_level(logging.WARNING, "actors"):
        adder.cast(Secret("hunter2"))
        adder.cast(Add(1))
        assert await adder.call(Numbers()) == [1]
    assert caplog.messages == ["one ignored an unknown Secret"]
    assert "hunter2" not in caplog.text
    statistics = adder.statistics()
    assert statistics is not None
    assert statistics.unknown_messages == 1


async def test_b43_an_unknown_call_gets_an_error(
    house: House, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    adder = await house.start(Adder)
    with (
        caplog.at_level(logging.WARNING, "actors"),
        pytest.raises(UnknownMessage, match="'one' does not know SecretQuestion") as error,
    ):
        await adder.call(SecretQuestion("hunter2"))
    assert (error.value.name, error.value.kind) == ("one", "SecretQuestion")
    assert "hunter2" not in caplog.text
    assert await adder.call(Numbers()) == []


async def test_b43_a_handler_that_raises_kills_only_its_actor(
    house: House, autojump_clock: MockClock
) -> None:
    bystander = await house.start(Adder, "bystander")
    victim = await house.start(Adder, "victim")
    bystander.cast(Add(1))
    incarnation = house.registry.whereis("bystander")
    victim.cast(Add(-1))
    crash = await house.gone("victim")
    assert isinstance(crash, ValueError)
    assert house.registry.names() == ("bystander",)
    assert house.registry.whereis("bystander") == incarnation
    assert await bystander.call(Numbers()) == [1]


async def test_b43_looking_at_an_actor_disturbs_nothing(
    house: House, autojump_clock: MockClock
) -> None:
    adder = await house.start(Adder)
    await trio.sleep(3)
    first = adder.statistics()
    assert first is not None
    assert (first.name, first.age, first.depth, first.served) == ("one", 3, 0, 0)
    assert not first.stopping
    assert adder.statistics() == first
    assert house.ref("nobody").statistics() is None

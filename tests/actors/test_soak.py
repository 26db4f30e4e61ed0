"""A thousand random lives leave nothing behind."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors import LATER, Actor, ActorError, AlreadyRegistered, Call, Cast, Reply

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.conftest import House


@dataclass(frozen=True)
class Ask(Call[int]):
    number: int


@dataclass(frozen=True)
class Crash(Cast):
    in_task: bool


class Resident(Actor):
    async def init(self) -> None:
        self.every(5, Crash(in_task=True))

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        assert isinstance(message, Ask)
        if message.number % 3 == 0:
            self.nursery.start_soon(self.answer, message, reply)
            return LATER
        return message.number

    async def answer(self, message: Ask, reply: Reply[int]) -> None:
        await trio.sleep(0.1)
        reply.send(message.number)

    async def handle_cast(self, message: Cast) -> None:
        assert isinstance(message, Crash)
        if message.in_task:
            self.nursery.start_soon(self.crash)
        else:
            await self.crash()

    async def crash(self) -> None:
        raise ValueError("soak")


@pytest.mark.parametrize("seed", range(3))
async def test_b50_a_thousand_random_operations_leave_nothing(
    seed: int, house: House, autojump_clock: MockClock
) -> None:
    dice = random.Random(seed)
    names = [f"resident-{number}" for number in range(10)]
    before = trio.lowlevel.current_statistics().tasks_living
    outcomes = {"answered": 0, "refused": 0}

    async def ask(name: str, number: int) -> None:
        try:
            assert await house.ref(name).call(Ask(number), timeout=dice.random()) == number
            outcomes["answered"] += 1
        except ActorError:
            outcomes["refused"] += 1

    async def operate(name: str) -> None:
        match dice.choice(["start", "start", "ask", "ask", "ask", "crash", "stop", "kill"]):
            case "start":
                try:
                    await house.start(Resident, name)
                except AlreadyRegistered:
                    outcomes["refused"] += 1
            case "ask":
                callers.start_soon(ask, name, dice.randrange(1000))
            case "crash" if house.registry.whereis(name):
                house.ref(name).cast(Crash(in_task=dice.random() < 0.5))
            case "stop" if house.registry.whereis(name):
                house.stops[name]()
            case "kill" if house.registry.whereis(name):
                house.kill(name)

    async with trio.open_nursery() as callers:
        for _ in range(1000):
            try:
                await operate(dice.choice(names))
            except ActorError:
                outcomes["refused"] += 1
            if dice.random() < 0.3:
                await trio.sleep(dice.random() / 5)
    for name in house.registry.names():
        await house.ref(name).stop()
    await trio.testing.wait_all_tasks_blocked()
    assert house.registry.names() == ()
    assert trio.lowlevel.current_statistics().tasks_living == before
    assert outcomes["answered"] > 50

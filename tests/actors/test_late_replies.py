"""Late replies: a caller that gave up gets nothing, costs nothing, and confuses nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors import LATER, Actor, Call, CallTimeout, Cast, Reply

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.conftest import House


@dataclass(frozen=True)
class Double(Call[int]):
    """Twice the number, after some seconds in the handler."""

    number: int
    seconds: float = 0


@dataclass(frozen=True)
class Park(Call[str]):
    """Is answered LATER, when Release comes."""


@dataclass(frozen=True)
class Release(Cast):
    pass


class Clerk(Actor):
    """Answers slowly or later."""

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        match message:
            case Double(number, seconds):
                if seconds:
                    await trio.sleep(seconds)
                return 2 * number
            case _:
                self.parked = reply
                return LATER

    async def handle_cast(self, message: Cast) -> None:
        self.parked.send("here it is")


async def test_b38_a_call_times_out_and_the_next_gets_its_own_answer(
    house: House, autojump_clock: MockClock
) -> None:
    clerk = await house.start(Clerk)
    began = trio.current_time()
    with pytest.raises(CallTimeout) as error:
        await clerk.call(Double(100, seconds=2), timeout=1)
    assert trio.current_time() - began == 1
    assert (error.value.name, error.value.seconds) == ("one", 1)
    assert await clerk.call(Double(3)) == 6
    statistics = clerk.statistics()
    assert statistics is not None
    assert (statistics.late_replies, statistics.served) == (1, 2)


async def test_b38_the_timeout_is_five_seconds(house: House, autojump_clock: MockClock) -> None:
    clerk = await house.start(Clerk)
    began = trio.current_time()
    with pytest.raises(CallTimeout):
        await clerk.call(Park())
    assert trio.current_time() - began == 5


async def test_t08_a_late_reply_is_counted_and_harms_nobody(
    house: House, autojump_clock: MockClock
) -> None:
    clerk = await house.start(Clerk)
    with pytest.raises(CallTimeout):
        await clerk.call(Park(), timeout=1)
    clerk.cast(Release())
    assert await clerk.call(Double(1)) == 2
    statistics = clerk.statistics()
    assert statistics is not None
    assert statistics.late_replies == 1


async def test_t08_sending_twice_is_a_late_reply_too(
    house: House, autojump_clock: MockClock
) -> None:
    kept: list[bool] = []

    class Twice(Clerk):
        async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
            kept.extend([reply.send(1), reply.send(2), reply.fail(ValueError())])
            return LATER

    clerk = await house.start(Twice, "twice")
    assert await clerk.call(Double(1)) == 1
    assert kept == [True, False, False]
    statistics = clerk.statistics()
    assert statistics is not None
    assert statistics.late_replies == 2


async def test_t19_a_cancellation_is_never_stored_as_an_answer(
    house: House, autojump_clock: MockClock
) -> None:
    refused: list[str] = []

    class Careless(Clerk):
        async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
            with trio.move_on_after(0):
                try:
                    await trio.sleep_forever()
                except BaseException as cancelled:
                    with pytest.raises(TypeError, match="not Cancelled"):
                        reply.fail(cancelled)  # type: ignore[arg-type]
                    refused.append(type(cancelled).__name__)
                    raise
            return 5

    clerk = await house.start(Careless)
    assert await clerk.call(Double(1)) == 5
    assert refused == ["Cancelled"]

"""Calls: whoever waits gets an answer, an error or a timeout, and only what was meant for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import trio

from actors import (
    LATER,
    Actor,
    ActorDown,
    ActorError,
    Call,
    Cast,
    MailboxFull,
    NoActor,
    Reply,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trio.testing import MockClock

    from tests.actors.conftest import House


@dataclass(frozen=True)
class Double(Call[int]):
    """Twice the number, after some seconds in the handler."""

    number: int
    seconds: float = 0


@dataclass(frozen=True)
class Park(Call[str]):
    """Is answered LATER, when Release says so."""

    word: str


@dataclass(frozen=True)
class Release(Cast):
    word: str


@dataclass(frozen=True)
class Burst(Cast):
    """Raises."""


@dataclass(frozen=True)
class Refuse(Call[int]):
    """Is answered with an error."""


class Clerk(Actor):
    """Answers now, slowly, later, with an error, or dies."""

    async def init(self) -> None:
        self.parked: dict[str, Reply[str]] = {}

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        match message:
            case Double(number, seconds):
                if seconds:
                    await trio.sleep(seconds)
                return 2 * number
            case Park(word):
                self.parked[word] = reply
                return LATER
            case Refuse():
                reply.fail(LookupError("refused"))
                return LATER
            case _:
                return await super().handle_call(message, reply)

    async def handle_cast(self, message: Cast) -> None:
        match message:
            case Release(word):
                self.parked.pop(word).send(word.upper())
            case Burst():
                await trio.sleep(1)
                raise KeyError("burst")
            case _:
                await super().handle_cast(message)


async def told(call: Callable[[], Awaitable[object]]) -> tuple[ActorError, float]:
    """The error of a call, and how long it took to come."""
    began = trio.current_time()
    with pytest.raises(ActorError) as error:
        await call()
    return error.value, trio.current_time() - began


async def test_a_call_is_answered(house: House, autojump_clock: MockClock) -> None:
    clerk = await house.start(Clerk)
    assert await clerk.call(Double(21)) == 42
    assert await clerk.call(Double(4), timeout=math.inf) == 8


async def test_a_call_may_be_failed_and_the_actor_lives(
    house: House, autojump_clock: MockClock
) -> None:
    clerk = await house.start(Clerk)
    with pytest.raises(LookupError, match="refused"):
        await clerk.call(Refuse())
    assert await clerk.call(Double(1)) == 2


async def test_b36_a_call_to_nobody_fails_at_once(house: House, autojump_clock: MockClock) -> None:
    error, seconds = await told(lambda: house.ref("nobody").call(Double(1)))
    assert isinstance(error, NoActor)
    assert error.name == "nobody"
    assert seconds == 0


async def test_b36_a_call_to_the_dead_fails_at_once(
    house: House, autojump_clock: MockClock
) -> None:
    clerk = await house.start(Clerk)
    house.kill()
    await house.gone()
    error, seconds = await told(lambda: clerk.call(Double(1)))
    assert isinstance(error, NoActor)
    assert seconds == 0


async def test_b36_a_call_to_one_that_is_stopping_fails_at_once(
    house: House, autojump_clock: MockClock
) -> None:
    clerk = await house.start(Clerk)
    waiting = clerk.request(Double(1, seconds=3))
    house.stops["one"]()
    error, seconds = await told(lambda: clerk.call(Double(1)))
    assert isinstance(error, NoActor)
    assert seconds == 0
    with pytest.raises(NoActor):
        clerk.cast(Burst())
    with pytest.raises(NoActor):
        clerk.request(Double(1))
    assert await waiting.wait() == 2, "what was queued before is served"


async def test_b36_t07_whatever_waits_when_the_actor_dies_fails_at_once(
    house: House, autojump_clock: MockClock
) -> None:
    """Deferred, in the handler's hands, and queued before the death."""
    clerk = await house.start(Clerk)
    errors: list[tuple[ActorError, float]] = []

    async def wait_for(message: Call[Any]) -> None:
        errors.append(await told(lambda: clerk.call(message, timeout=60)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_for, Park("deferred"))
        await trio.testing.wait_all_tasks_blocked()
        clerk.cast(Burst())
        for number in range(3):
            nursery.start_soon(wait_for, Double(number))
    assert [type(error) for error, _ in errors] == [ActorDown] * 4
    assert {str(error) for error, _ in errors} == {"'one' is down: crash KeyError"}
    assert {seconds for _, seconds in errors} == {1.0}
    assert house.registry.names() == ()


async def test_b36_t07_a_killed_actor_fails_the_call_it_was_serving(
    house: House, autojump_clock: MockClock
) -> None:
    clerk = await house.start(Clerk)
    serving = clerk.request(Double(1, seconds=60))
    await trio.sleep(1)
    house.kill()
    error, seconds = await told(serving.wait)
    assert isinstance(error, ActorDown)
    assert error.reason == "killed"
    assert seconds == 0


async def test_b36_callers_find_the_name_free_when_they_are_told(
    house: House, autojump_clock: MockClock
) -> None:
    """A caller that tries again at once reaches the successor or nobody, never the dead."""
    clerk = await house.start(Clerk)
    clerk.cast(Burst())
    with pytest.raises(ActorDown):
        await clerk.call(Double(1))
    assert house.registry.whereis("one") is None
    await house.start(Clerk)
    assert await clerk.call(Double(2)) == 4


async def test_b36_a_slow_clean_up_keeps_no_caller_waiting(
    house: House, autojump_clock: MockClock
) -> None:
    class Slow(Clerk):
        async def terminate(self, reason: str) -> None:
            await trio.sleep(3)

    clerk = await house.start(Slow)
    clerk.cast(Burst())
    error, seconds = await told(lambda: clerk.call(Double(1)))
    assert isinstance(error, ActorDown)
    assert seconds == 1
    assert "one" not in house.ended
    await house.gone()


async def test_b36_an_answer_sent_before_the_crash_counts(
    house: House, autojump_clock: MockClock
) -> None:
    class Hasty(Clerk):
        async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> NoReturn:
            reply.send(7)
            raise ValueError("afterwards")

    clerk = await house.start(Hasty)
    assert await clerk.call(Double(1)) == 7
    assert isinstance(await house.gone(), ValueError)


async def test_a_deferred_reply_may_be_sent_after_a_polite_stop(
    house: House, autojump_clock: MockClock
) -> None:
    class Working(Clerk):
        async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
            self.nursery.start_soon(self.work, reply)
            return LATER

        async def work(self, reply: Reply[int]) -> None:
            await trio.sleep(2)
            reply.send(9)

    clerk = await house.start(Working)
    pending = clerk.request(Double(1))
    house.stops["one"]()
    assert await pending.wait() == 9
    assert await house.gone() is None


async def test_a_deferred_reply_nobody_sends_fails_at_a_polite_end(
    house: House, autojump_clock: MockClock
) -> None:
    clerk = await house.start(Clerk)
    pending = clerk.request(Park("forgotten"))
    house.stops["one"]()
    error, seconds = await told(pending.wait)
    assert isinstance(error, ActorDown)
    assert (error.reason, seconds) == ("normal", 0)


async def test_t17_a_call_is_always_a_checkpoint(house: House, autojump_clock: MockClock) -> None:
    clerk = await house.start(Clerk, mailbox_limit=1)
    with trio.testing.assert_checkpoints():
        await clerk.call(Double(1))
    with trio.testing.assert_checkpoints(), pytest.raises(NoActor):
        await house.ref("nobody").call(Double(1))
    clerk.cast(Burst())
    with trio.testing.assert_checkpoints(), pytest.raises(MailboxFull):
        await clerk.call(Double(1))


async def test_a_cancelled_caller_sends_nothing(house: House, autojump_clock: MockClock) -> None:
    clerk = await house.start(Clerk)
    with trio.CancelScope() as scope:
        scope.cancel()
        await clerk.call(Double(1))
    assert scope.cancelled_caught
    await trio.testing.wait_all_tasks_blocked()
    statistics = clerk.statistics()
    assert statistics is not None
    assert statistics.served == 0

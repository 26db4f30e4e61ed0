"""Calls that wait for each other raise; calls that only look like it do not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors import LATER, Actor, Call, CallTimeout, Cast, Deadlock, Ref, Reply

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.conftest import House

Work = Callable[["Puppet"], Awaitable[Any]]


@dataclass(frozen=True)
class Do(Call[Any]):
    """Has the actor do something in its handler and answer with the result."""

    work: Work


@dataclass(frozen=True)
class DoInTask(Call[Any]):
    """Has a task of the actor's nursery do it, and answers LATER."""

    work: Work


@dataclass(frozen=True)
class DoAlone(Cast):
    work: Work


class Puppet(Actor):
    """Does as it is told. A Deadlock is given back as its chain."""

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        match message:
            case Do(work):
                return await outcome(work, self)
            case DoInTask(work):
                self.nursery.start_soon(self.in_task, work, reply)
                return LATER
            case _:
                return await super().handle_call(message, reply)

    async def handle_cast(self, message: Cast) -> None:
        assert isinstance(message, DoAlone)
        await outcome(message.work, self)

    async def in_task(self, work: Work, reply: Reply[Any]) -> None:
        reply.send(await outcome(work, self))


async def outcome(work: Work, puppet: Puppet) -> Any:
    try:
        return await work(puppet)
    except Deadlock as deadlock:
        return deadlock.chain


async def nothing(_: Puppet) -> str:
    return "done"


def calling(name: str, work: Work = nothing, message: type[Do | DoInTask] = Do) -> Work:
    """Work that calls another actor to do some work."""

    async def call(puppet: Puppet) -> Any:
        return await Ref(puppet.registry, name).call(message(work))

    return call


@pytest.fixture
async def puppets(house: House, autojump_clock: MockClock) -> House:
    for name in "abc":
        await house.start(Puppet, name)
    return house


async def test_b41_a_call_to_oneself_raises_at_once(
    puppets: House, autojump_clock: MockClock
) -> None:
    began = trio.current_time()
    assert await puppets.ref("a").call(Do(calling("a"))) == ("a", "a")
    assert trio.current_time() == began
    assert await puppets.ref("a").call(Do(nothing)) == "done", "and it lives"


async def test_b41_t09_a_cycle_raises_at_once_with_the_chain(
    puppets: House, autojump_clock: MockClock
) -> None:
    began = trio.current_time()
    assert await puppets.ref("a").call(Do(calling("b", calling("a")))) == ("a", "b", "a")
    three = calling("b", calling("c", calling("a")))
    assert await puppets.ref("a").call(Do(three)) == ("a", "b", "c", "a")
    assert trio.current_time() == began


async def test_b41_a_cycle_that_does_not_include_the_first_caller_is_found(
    puppets: House, autojump_clock: MockClock
) -> None:
    work = calling("b", calling("c", calling("b")))
    assert await puppets.ref("a").call(Do(work)) == ("b", "c", "b")


async def test_b41_calls_that_cross_are_found(puppets: House, autojump_clock: MockClock) -> None:
    """Neither is made in the service of the other; both actors are busy with calls of their own."""

    async def slowly(puppet: Puppet) -> Any:
        await trio.sleep(1)
        return await calling("a")(puppet)

    a = puppets.ref("a").request(Do(calling("b")))
    b = puppets.ref("b").request(Do(slowly))
    # b is asleep in its handler when a's call lies in its mailbox.
    assert await b.wait() == ("b", "a", "b")
    assert await a.wait() == "done"


async def test_b41_a_longer_way_across_is_found(puppets: House, autojump_clock: MockClock) -> None:
    async def slowly(puppet: Puppet) -> Any:
        await trio.sleep(1)
        return await calling("a")(puppet)

    c = puppets.ref("c").request(Do(slowly))
    await trio.testing.wait_all_tasks_blocked()
    b = puppets.ref("b").request(Do(calling("c")))
    a = puppets.ref("a").request(Do(calling("b")))
    assert await c.wait() == ("c", "a", "b", "c")
    assert (await b.wait(), await a.wait()) == ("done", "done")


async def test_b41_a_call_to_someone_busy_but_free_is_no_deadlock(
    puppets: House, autojump_clock: MockClock
) -> None:
    async def slowly(_: Puppet) -> str:
        await trio.sleep(1)
        return "slow"

    b = puppets.ref("b").request(Do(calling("c", slowly)))
    assert await puppets.ref("a").call(Do(calling("b"))) == "done"
    assert await b.wait() == "slow"


async def test_b41_a_task_may_call_its_own_actor(puppets: House, autojump_clock: MockClock) -> None:
    assert await puppets.ref("a").call(DoInTask(calling("a"))) == "done"


async def test_b41_a_task_that_works_for_a_waiting_caller_may_not_call_it(
    puppets: House, autojump_clock: MockClock
) -> None:
    work = calling("b", calling("a"), DoInTask)
    assert await puppets.ref("a").call(Do(work)) == ("a", "b", "a")
    further = calling("b", calling("c", calling("a")), DoInTask)
    assert await puppets.ref("a").call(Do(further)) == ("a", "b", "c", "a")


async def test_b41_a_task_is_free_once_the_call_it_was_started_in_is_answered(
    puppets: House, autojump_clock: MockClock
) -> None:
    results: list[Any] = []

    async def leave_a_task(puppet: Puppet) -> str:
        async def afterwards() -> None:
            await trio.sleep(1)
            results.append(await calling("a")(puppet))

        puppet.nursery.start_soon(afterwards)
        return "left"

    assert await puppets.ref("a").call(Do(calling("b", leave_a_task))) == "left"
    await trio.sleep(2)
    assert results == ["done"]


async def test_b41_a_cast_is_not_in_the_service_of_the_call_before_it(
    puppets: House, autojump_clock: MockClock
) -> None:
    """a waits for b's task; b, in a cast, calls a, which answers when the task is done."""
    results: list[Any] = []

    async def sleepy(_: Puppet) -> str:
        await trio.sleep(2)
        return "rested"

    async def call_a(puppet: Puppet) -> None:
        results.append(await outcome(calling("a"), puppet))

    pending = puppets.ref("a").request(Do(calling("b", sleepy, DoInTask)))
    await trio.testing.wait_all_tasks_blocked()
    puppets.ref("b").cast(DoAlone(call_a))
    assert await pending.wait() == "rested"
    await trio.testing.wait_all_tasks_blocked()
    assert results == ["done"]


async def test_b41_a_deferred_answer_does_not_need_its_actor(
    puppets: House, autojump_clock: MockClock
) -> None:
    """a waits for b's task; b itself may call a, which answers when the task is done."""

    async def sleepy(_: Puppet) -> str:
        await trio.sleep(2)
        return "rested"

    a = puppets.ref("a").request(Do(calling("b", sleepy, DoInTask)))
    await trio.testing.wait_all_tasks_blocked()
    assert await puppets.ref("b").call(Do(calling("a"))) == "done"
    assert await a.wait() == "rested"


async def test_b41_a_nursery_inside_a_handler_counts_as_the_handler(
    puppets: House, autojump_clock: MockClock
) -> None:
    def in_nursery(work: Work) -> Work:
        async def run(puppet: Puppet) -> list[Any]:
            results: list[Any] = []

            async def one() -> None:
                results.append(await outcome(work, puppet))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(one)
            return results

        return run

    ask = puppets.ref("a").call
    assert await ask(Do(in_nursery(calling("a")))) == [("a", "a")]
    assert await ask(Do(in_nursery(calling("b", calling("a"))))) == [("a", "b", "a")]
    assert await ask(Do(in_nursery(calling("b")))) == ["done"]


async def test_b41_a_caller_that_gave_up_is_free(puppets: House, autojump_clock: MockClock) -> None:
    async def patient(puppet: Puppet) -> Any:
        await trio.sleep(2)
        return await calling("a")(puppet)

    async def hasty(puppet: Puppet) -> str:
        with pytest.raises(CallTimeout):
            await puppets.ref("b").call(Do(patient), timeout=1)
        return "gave up"

    assert await puppets.ref("a").call(Do(hasty)) == "gave up"
    await trio.sleep(2)
    statistics = puppets.ref("a").statistics()
    assert statistics is not None
    assert statistics.served == 2, "b's call went through"


async def test_b41_a_caller_that_was_just_answered_is_free(
    puppets: House, autojump_clock: MockClock
) -> None:
    """b answers a and calls it before a had a chance to run."""

    async def a_moment(_: Puppet) -> None:
        await trio.sleep(1)

    puppets.ref("b").cast(DoAlone(a_moment))
    a = puppets.ref("a").request(Do(calling("b")))
    await trio.testing.wait_all_tasks_blocked()
    b = puppets.ref("b").request(Do(calling("a")))
    assert await a.wait() == "done"
    assert await b.wait() == "done"


async def test_b41_stopping_oneself_and_waiting_for_it_raises(
    puppets: House, autojump_clock: MockClock
) -> None:
    async def stop(puppet: Puppet) -> str:
        return (await puppet.ref.stop()).reason

    async def stop_caller(_: Puppet) -> str:
        return (await puppets.ref("a").stop()).reason

    assert await puppets.ref("a").call(Do(stop)) == ("a", "a")
    assert await puppets.ref("a").call(DoInTask(stop)) == ("a", "a")
    assert await puppets.ref("a").call(Do(calling("b", stop_caller))) == ("a", "b", "a")
    assert await puppets.ref("b").call(Do(stop_caller)) == "normal"

"""Requests: send now, wait later, in any order, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors import (
    LATER,
    Actor,
    ActorDown,
    Call,
    CallTimeout,
    Cast,
    Deadlock,
    MailboxFull,
    Ref,
    Reply,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.conftest import House


@dataclass(frozen=True)
class Fetch(Call[int]):
    """Is answered with `number` after `seconds`, while others are served."""

    number: int
    seconds: float


@dataclass(frozen=True)
class Ask(Call[str]):
    """Has the actor wait, in its handler, for a request it made."""

    itself: bool


@dataclass(frozen=True)
class Relay(Call[Any]):
    """Has the actor request a message from another and wait, in its handler or in a task."""

    name: str
    message: Call[Any]
    in_task: bool = False


@dataclass(frozen=True)
class Die(Cast):
    pass


class Fetcher(Actor):
    """Works in tasks, so it answers out of order."""

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        match message:
            case Fetch():
                self.nursery.start_soon(self.fetch, message, reply)
                return LATER
            case Ask(itself):
                pending = self.ref.request(Fetch(1, 0))
                if not itself:
                    return "sent"
                try:
                    return str(await pending.wait())
                except Deadlock as deadlock:
                    return str(deadlock.chain)
            case Relay(in_task=True):
                self.nursery.start_soon(self.relay_in_task, message, reply)
                return LATER
            case Relay():
                return await self.relay(message)
            case _:
                return await super().handle_call(message, reply)

    async def fetch(self, message: Fetch, reply: Reply[int]) -> None:
        await trio.sleep(message.seconds)
        reply.send(message.number)

    async def relay(self, message: Relay) -> Any:
        try:
            return await Ref(self.registry, message.name).request(message.message).wait(60)
        except Deadlock as deadlock:
            return deadlock.chain

    async def relay_in_task(self, message: Relay, reply: Reply[Any]) -> None:
        reply.send(await self.relay(message))

    async def handle_cast(self, message: Cast) -> None:
        raise ValueError("told to")


async def test_b39_answers_out_of_order_reach_whoever_asked(
    house: House, autojump_clock: MockClock
) -> None:
    fetcher = await house.start(Fetcher)
    began = trio.current_time()
    pending = [fetcher.request(Fetch(number, 3 - number)) for number in range(3)]
    assert not any(one.answered for one in pending)
    assert [await one.wait() for one in pending] == [0, 1, 2]
    assert trio.current_time() - began == 3
    assert all(one.answered for one in pending)


async def test_b39_an_answer_may_be_read_later_and_again(
    house: House, autojump_clock: MockClock
) -> None:
    fetcher = await house.start(Fetcher)
    pending = fetcher.request(Fetch(4, 1))
    await trio.sleep(2)
    with trio.testing.assert_checkpoints():
        assert await pending.wait() == 4
    assert await pending.wait() == 4


async def test_b39_an_abandoned_answer_is_dropped(house: House, autojump_clock: MockClock) -> None:
    fetcher = await house.start(Fetcher)
    pending = fetcher.request(Fetch(4, 1))
    pending.abandon()
    pending.abandon()
    with pytest.raises(CallTimeout):
        await pending.wait()
    await trio.sleep(2)
    assert not pending.answered
    statistics = fetcher.statistics()
    assert statistics is not None
    assert statistics.late_replies == 1


async def test_b39_a_timeout_abandons(house: House, autojump_clock: MockClock) -> None:
    fetcher = await house.start(Fetcher)
    pending = fetcher.request(Fetch(4, 2))
    with pytest.raises(CallTimeout):
        await pending.wait(timeout=1)
    await trio.sleep(2)
    assert not pending.answered


async def test_b39_the_death_of_a_caller_leaves_no_task_and_no_debt(
    house: House, autojump_clock: MockClock
) -> None:
    fetcher = await house.start(Fetcher)
    before = trio.lowlevel.current_statistics().tasks_living
    async with trio.open_nursery() as callers:
        for number in range(50):
            callers.start_soon(fetcher.call, Fetch(number, 2))
        await trio.sleep(1)
        callers.cancel_scope.cancel()
    await trio.sleep(2)
    assert trio.lowlevel.current_statistics().tasks_living == before
    mailbox = house.registry.mailboxes["one"]
    assert (mailbox.owed, mailbox.late_replies) == (set(), 50)


async def test_b39_a_request_fails_when_the_actor_dies(
    house: House, autojump_clock: MockClock
) -> None:
    fetcher = await house.start(Fetcher)
    deferred = fetcher.request(Fetch(1, 60))
    await trio.testing.wait_all_tasks_blocked()
    fetcher.cast(Die())
    queued = fetcher.request(Fetch(2, 60))
    await house.gone()
    for pending in (deferred, queued):
        assert pending.answered
        with pytest.raises(ActorDown, match="crash ValueError"):
            await pending.wait()


async def test_b39_a_request_never_blocks(house: House, autojump_clock: MockClock) -> None:
    fetcher = await house.start(Fetcher, mailbox_limit=2)
    with trio.testing.assert_no_checkpoints():
        fetcher.request(Fetch(1, 1))
        fetcher.request(Fetch(2, 1))
        with pytest.raises(MailboxFull):
            fetcher.request(Fetch(3, 1))


async def test_b41_an_actor_may_send_itself_a_request_but_not_wait_for_it(
    house: House, autojump_clock: MockClock
) -> None:
    fetcher = await house.start(Fetcher)
    assert await fetcher.call(Ask(itself=False)) == "sent"
    assert await fetcher.call(Ask(itself=True)) == "('one', 'one')"


async def test_b41_a_handler_may_wait_for_a_request_to_another(
    house: House, autojump_clock: MockClock
) -> None:
    one, _ = await house.start(Fetcher), await house.start(Fetcher, "two")
    assert await one.call(Relay("two", Fetch(5, 1))) == 5


async def test_b41_requests_that_are_waited_for_in_a_circle_raise(
    house: House, autojump_clock: MockClock
) -> None:
    one, _ = await house.start(Fetcher), await house.start(Fetcher, "two")
    began = trio.current_time()
    chain = await one.call(Relay("two", Relay("one", Fetch(1, 0))))
    assert chain == ("one", "two", "one")
    assert trio.current_time() == began


async def test_b41_a_circle_through_a_task_raises(house: House, autojump_clock: MockClock) -> None:
    for name in ("one", "two", "three"):
        await house.start(Fetcher, name)
    one = house.ref("one")
    back = Relay("one", Fetch(1, 0))
    began = trio.current_time()
    direct = Relay("two", Relay("one", Fetch(1, 0), in_task=True))
    assert await one.call(direct) == ("one", "two", "one")
    further = Relay("two", Relay("three", back, in_task=True))
    assert await one.call(further) == ("one", "two", "three", "one")
    assert trio.current_time() == began


async def test_b41_a_handler_may_wait_for_what_its_own_task_answers(
    house: House, autojump_clock: MockClock
) -> None:
    """The request was served, and deferred, before the handler began to wait for it."""

    class Patient(Fetcher):
        async def handle_cast(self, message: Cast) -> None:
            self.pending = self.ref.request(Fetch(8, 3))

    class Finish(Call[int]):
        pass

    class Finishing(Patient):
        async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
            if isinstance(message, Finish):
                return await self.pending.wait()
            return await super().handle_call(message, reply)

    one = await house.start(Finishing)
    one.cast(Die())
    await trio.testing.wait_all_tasks_blocked()
    assert await one.call(Finish()) == 8

"""How an actor's life begins: init, the second phase, the clean context, and every way to fail."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors import (
    Actor,
    ActorDown,
    Call,
    Cast,
    Ignore,
    Ref,
    Registry,
    Reply,
    StartTimeout,
    actor_worker,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.conftest import House

TENANT: ContextVar[str] = ContextVar("tenant", default="nobody")


@dataclass(frozen=True)
class Seen(Call[list[str]]):
    pass


@dataclass(frozen=True)
class Mark(Cast):
    word: str


class Diary(Actor):
    """Writes down what happens to it."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def init(self) -> None:
        self.seen.append("init")

    async def handle_continue(self) -> None:
        await trio.sleep(1)
        self.seen.append("continue")

    async def handle_cast(self, message: Cast) -> None:
        assert isinstance(message, Mark)
        self.seen.append(message.word)

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        return self.seen


class Plain(Actor):
    """Overrides nothing."""


class Broken(Actor):
    """Cannot start, in the way it is told."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error

    async def init(self) -> None:
        self.nursery.start_soon(trio.sleep_forever)
        self.ref.cast(Mark("never read"))
        if self.error is None:
            await trio.sleep_forever()
        else:
            raise self.error


def no_actor() -> Actor:
    raise LookupError("the factory")


async def test_b40_the_continue_step_runs_after_the_start_and_before_the_first_message(
    house: House, autojump_clock: MockClock
) -> None:
    began = trio.current_time()
    diary = await house.start(Diary)
    diary.cast(Mark("first"))
    assert trio.current_time() == began
    assert await diary.call(Seen()) == ["init", "continue", "first"]


async def test_b40_a_message_sent_during_init_waits_for_the_continue_step(
    house: House, autojump_clock: MockClock
) -> None:
    class Slow(Diary):
        async def init(self) -> None:
            await trio.sleep(1)

    async def early() -> None:
        await trio.sleep(0.5)
        house.ref("one").cast(Mark("early"))

    house.nursery.start_soon(early)
    diary = await house.start(Slow)
    assert await diary.call(Seen()) == ["continue", "early"]


async def test_an_actor_that_overrides_nothing_lives(
    house: House, autojump_clock: MockClock
) -> None:
    await house.start(Plain)
    house.stops["one"]()
    assert await house.gone() is None


@pytest.mark.parametrize("error", [ValueError("no"), Ignore(), SystemExit(3), None])
async def test_b04_a_start_that_fails_raises_its_error_and_leaves_nothing(
    error: BaseException | None, house: House, autojump_clock: MockClock
) -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    for _ in range(100 if error else 3):
        worker = actor_worker(lambda: Broken(error), house.registry, "broken", init_timeout=2)
        with pytest.raises(BaseException) as caught:
            await worker(task_status=trio.TASK_STATUS_IGNORED)
        if error is None:
            assert isinstance(caught.value, StartTimeout)
            assert (caught.value.name, caught.value.seconds) == ("broken", 2)
        else:
            assert caught.value is error
        assert house.registry.names() == ()
        assert trio.lowlevel.current_statistics().tasks_living == before


async def test_b04_a_factory_that_raises_leaves_nothing(
    house: House, autojump_clock: MockClock
) -> None:
    with pytest.raises(LookupError, match="the factory"):
        await actor_worker(no_actor, house.registry, "one")(task_status=trio.TASK_STATUS_IGNORED)
    assert house.registry.names() == ()


async def test_b04_a_start_that_is_cancelled_leaves_nothing(
    house: House, autojump_clock: MockClock
) -> None:
    with trio.move_on_after(1) as scope:
        await house.start(lambda: Broken(None))
    assert scope.cancelled_caught
    assert house.registry.names() == ()


async def test_b04_whoever_called_an_actor_that_fails_to_start_is_told(
    house: House, autojump_clock: MockClock
) -> None:
    outcomes: list[str] = []

    class Failing(Actor):
        async def init(self) -> None:
            await trio.sleep(1)
            raise ValueError

        async def terminate(self, reason: str) -> None:
            outcomes.append("terminated")

    async def caller() -> None:
        await trio.sleep(0.5)
        with pytest.raises(ActorDown) as down:
            await house.ref("one").call(Seen())
        outcomes.append(down.value.reason)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(caller)
        with pytest.raises(ValueError, match=r"^$"):
            await house.start(Failing)
    assert outcomes == ["crash ValueError"]


async def test_b04_a_timeout_of_its_own_in_init_is_not_taken_for_a_start_timeout(
    house: House, autojump_clock: MockClock
) -> None:
    class Impatient(Actor):
        async def init(self) -> None:
            with trio.fail_after(1):
                await trio.sleep_forever()

    with pytest.raises(trio.TooSlowError):
        await house.start(Impatient)


async def test_t05_init_is_bounded_inside_the_worker_and_its_tasks_are_not(
    house: House, autojump_clock: MockClock
) -> None:
    ticks: list[float] = []

    class WithTask(Actor):
        async def init(self) -> None:
            self.nursery.start_soon(self.later)

        async def later(self) -> None:
            await trio.sleep(10)
            ticks.append(trio.current_time())

    await house.start(WithTask, init_timeout=1)
    await trio.sleep(11)
    assert len(ticks) == 1


async def test_t06_start_raises_the_childs_own_error(
    house: House, autojump_clock: MockClock
) -> None:
    with pytest.raises(ValueError, match="alone"):
        await house.nursery.start(
            actor_worker(lambda: Broken(ValueError("alone")), house.registry, "one")
        )


async def test_b48_an_actor_carries_no_context_of_who_started_it(
    house: House, autojump_clock: MockClock
) -> None:
    class Tenant(Diary):
        async def handle_continue(self) -> None:
            self.seen.append(TENANT.get())
            self.nursery.start_soon(self.in_task)

        async def in_task(self) -> None:
            self.seen.append(TENANT.get())

    TENANT.set("acme")
    diary = await house.start(Tenant)
    await trio.testing.wait_all_tasks_blocked()
    assert await diary.call(Seen()) == ["init", "nobody", "nobody"]
    assert TENANT.get() == "acme"


async def test_t15_a_mailbox_has_a_positive_bound(house: House, autojump_clock: MockClock) -> None:
    with pytest.raises(ValueError, match="at least one message, not 0"):
        await house.start(Plain, mailbox_limit=0)
    assert house.registry.names() == ()


async def test_a_ref_compares_by_registry_and_name() -> None:
    registry = Registry()
    assert Ref(registry, "a") == Ref(registry, "a")
    assert hash(Ref(registry, "a")) == hash(Ref(registry, "a"))
    assert Ref(registry, "a") != Ref(registry, "b")
    assert Ref(registry, "a") != Ref(Registry(), "a")
    assert Ref(registry, "a") != "a"
    assert repr(Ref(registry, "a")) == "Ref('a')"

"""How an actor's life ends: asked to, killed, or by a crash of its own or of one of its tasks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors import Actor, ActorDown, Call, CallTimeout, Cast, NoActor, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trio.testing import MockClock

    from tests.actors.conftest import House


@dataclass(frozen=True)
class Work(Cast):
    seconds: float


@dataclass(frozen=True)
class Spawn(Cast):
    """Starts a task."""

    task: Callable[[Worker], Awaitable[None]]


@dataclass(frozen=True)
class Quit(Call[str]):
    """Has the actor stop itself."""


@dataclass(frozen=True)
class Fail(Cast):
    error: BaseException


class Worker(Actor):
    """Writes down when it did what."""

    def __init__(self, diary: list[tuple[float, str]], clean_up: float = 0) -> None:
        self.diary = diary
        self.clean_up = clean_up

    def write(self, word: str) -> None:
        self.diary.append((trio.current_time() - self.born, word))

    async def init(self) -> None:
        self.born = trio.current_time()

    async def handle_cast(self, message: Cast) -> None:
        match message:
            case Work(seconds):
                await trio.sleep(seconds)
                self.write("worked")
            case Spawn(task):
                self.nursery.start_soon(task, self)
            case Fail(error):
                raise error

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        self.stop()
        return "bye"

    async def terminate(self, reason: str) -> None:
        if self.clean_up:
            await trio.sleep(self.clean_up)
        self.write(reason)


async def two_seconds(worker: Worker) -> None:
    await trio.sleep(2)
    worker.write("task")


async def crash(worker: Worker) -> None:
    await trio.sleep(1)
    raise OSError("in a task")


async def crash_at_once(worker: Worker) -> None:
    raise OSError("in a task")


async def test_b37_stop_serves_what_is_queued_and_waits_for_the_end(
    house: House, autojump_clock: MockClock
) -> None:
    diary: list[tuple[float, str]] = []
    worker = await house.start(lambda: Worker(diary, clean_up=1))
    worker.cast(Spawn(two_seconds))
    worker.cast(Work(0.5))
    worker.cast(Work(0))
    down = await worker.stop()
    assert (down.name, down.reason) == ("one", "normal")
    # The task outlives `terminate`, and the end waits for it.
    assert diary == [(0.5, "worked"), (0.5, "worked"), (1.5, "normal"), (2.0, "task")]
    assert house.registry.names() == ()
    assert await house.gone() is None


async def test_b37_stop_may_be_repeated_and_shared(house: House, autojump_clock: MockClock) -> None:
    diary: list[tuple[float, str]] = []
    worker = await house.start(lambda: Worker(diary))
    worker.cast(Work(1))
    reasons: list[str] = []

    async def stop() -> None:
        reasons.append((await worker.stop()).reason)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(stop)
    await stop()
    assert reasons == ["normal", "normal", "normal", "noproc"]
    assert diary == [(1, "worked"), (1, "normal")]


async def test_b37_a_stop_that_takes_too_long_leaves_the_actor_stopping(
    house: House, autojump_clock: MockClock
) -> None:
    worker = await house.start(lambda: Worker([]))
    worker.cast(Work(2))
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(CallTimeout):
        await worker.stop(timeout=1)
    statistics = worker.statistics()
    assert statistics is not None
    assert statistics.stopping
    assert not house.registry.mailboxes["one"].monitors
    assert (await worker.stop()).reason == "normal"


async def test_an_actor_may_stop_itself(house: House, autojump_clock: MockClock) -> None:
    diary: list[tuple[float, str]] = []
    worker = await house.start(lambda: Worker(diary))
    pending = worker.request(Quit())
    worker.cast(Work(1))
    assert await pending.wait() == "bye"
    assert await house.gone() is None
    assert diary == [(1, "worked"), (1, "normal")]


async def test_its_own_tasks_may_still_cast_while_an_actor_stops(
    house: House, autojump_clock: MockClock
) -> None:
    """A task that reports its end must not turn a polite stop into a crash."""
    diary: list[tuple[float, str]] = []

    async def reports(worker: Worker) -> None:
        await trio.sleep(1)
        worker.ref.cast(Work(0))
        await trio.sleep(5)
        worker.ref.cast(Work(0))
        with pytest.raises(NoActor):
            await worker.ref.call(Quit())

    worker = await house.start(lambda: Worker(diary))
    worker.cast(Spawn(reports))
    worker.cast(Work(2))
    mailbox = house.registry.mailboxes["one"]
    await worker.stop()
    assert await house.gone() is None
    assert diary == [(2, "worked"), (2, "worked"), (2, "normal")]
    assert mailbox.dropped_at_end == 1


async def test_b46_a_crash_of_a_task_is_the_actors_crash_once(
    house: House, autojump_clock: MockClock
) -> None:
    diary: list[tuple[float, str]] = []
    worker = await house.start(lambda: Worker(diary, clean_up=1))
    worker.cast(Spawn(crash))
    worker.cast(Spawn(two_seconds))
    await trio.testing.wait_all_tasks_blocked()
    waiting = worker.request(Quit())
    worker.cast(Work(60))
    assert await waiting.wait() == "bye"
    monitor = worker.monitor()
    error = await house.gone()
    assert isinstance(error, OSError), "out of its groups"
    assert error.__context__ is None
    assert (await monitor.wait()).reason == "crash OSError"
    assert diary == [(2, "crash")], "terminate had its time; the other task was cancelled"


async def test_b46_callers_are_told_at_once_of_a_task_crash(
    house: House, autojump_clock: MockClock
) -> None:
    worker = await house.start(lambda: Worker([], clean_up=3))
    worker.cast(Spawn(crash))
    worker.cast(Work(60))
    began = trio.current_time()
    with pytest.raises(ActorDown, match=r"'one' is down: crash$"):
        await worker.call(Quit())
    assert trio.current_time() - began == 1


async def test_b46_crashes_of_several_tasks_come_as_one_group(
    house: House, autojump_clock: MockClock
) -> None:
    worker = await house.start(lambda: Worker([]))
    worker.cast(Spawn(crash_at_once))
    worker.cast(Spawn(crash_at_once))
    error = await house.gone()
    assert isinstance(error, ExceptionGroup)
    assert [type(each) for each in flat(error)] == [OSError, OSError]


def flat(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in flat(each)]
    return [error]


async def test_a_crash_while_others_wait_for_the_end_is_not_a_normal_end(
    house: House, autojump_clock: MockClock
) -> None:
    worker = await house.start(lambda: Worker([]))
    worker.cast(Spawn(crash))
    await trio.testing.wait_all_tasks_blocked()
    assert (await worker.stop()).reason == "crash OSError"
    assert isinstance(await house.gone(), OSError)


async def test_an_infinite_terminate_timeout_is_allowed(
    house: House, autojump_clock: MockClock
) -> None:
    """A supervisor's `terminate` stops its children, each with a bound of its own."""
    diary: list[tuple[float, str]] = []
    await house.start(
        lambda: Worker(diary, clean_up=1000), terminate_timeout=math.inf, kill_timeout=math.inf
    )
    house.kill()
    await house.gone()
    assert diary == [(1000, "killed")]

"""Clean-up: it may wait, it cannot hang, and a failure in it is a crash."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import trio

from actors import Actor, Cast

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.conftest import House


@dataclass(frozen=True)
class Fail(Cast):
    pass


class Tidy(Actor):
    """Takes its time to clean up, and may fail in it."""

    def __init__(self, log: list[str], seconds: float = 0, error: Exception | None = None) -> None:
        self.log = log
        self.seconds = seconds
        self.error = error

    async def handle_cast(self, message: Cast) -> None:
        raise KeyError("in a handler")

    async def terminate(self, reason: str) -> None:
        self.log.append(reason)
        await trio.sleep(self.seconds)
        self.log.append("tidy")
        if self.error is not None:
            raise self.error


async def test_t10_terminate_may_wait_although_the_actor_is_cancelled(
    house: House, autojump_clock: MockClock
) -> None:
    log: list[str] = []
    await house.start(lambda: Tidy(log, 0.25))
    began = trio.current_time()
    house.kill()
    await trio.sleep(0.25)
    await house.gone()
    assert log == ["killed", "tidy"]
    assert trio.current_time() - began < 0.3


@pytest.mark.parametrize(("end", "seconds"), [("stop", 5.0), ("crash", 5.0), ("kill", 0.5)])
async def test_t10_terminate_cannot_hang_the_end(
    end: str,
    seconds: float,
    house: House,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    log: list[str] = []
    tidy = await house.start(lambda: Tidy(log, 1000))
    monitor = tidy.monitor()
    began = trio.current_time()
    if end == "stop":
        house.stops["one"]()
    elif end == "crash":
        tidy.cast(Fail())
    else:
        house.kill()
    with caplog.at_level(logging.WARNING, "actors"):
        await monitor.wait()
    assert trio.current_time() - began == seconds
    assert len(log) == 1
    assert caplog.messages == ["one did not terminate in time"]


async def test_t12_a_kill_during_terminate_shortens_it(
    house: House, autojump_clock: MockClock
) -> None:
    log: list[str] = []
    tidy = await house.start(lambda: Tidy(log, 4), kill_timeout=1)
    monitor = tidy.monitor()
    began = trio.current_time()
    house.stops["one"]()
    await trio.sleep(2)
    house.kill()
    await monitor.wait()
    assert trio.current_time() - began == 3
    assert log == ["normal"]


async def test_t12_a_kill_is_a_request_and_waits_for_code_that_does_not(
    house: House, autojump_clock: MockClock
) -> None:
    """Nothing can end a handler that shields itself; it ends when it ends."""

    class Stubborn(Tidy):
        async def init(self) -> None:
            self.nursery.start_soon(self.shielded)

        async def shielded(self) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(7)

    stubborn = await house.start(lambda: Stubborn([]))
    monitor = stubborn.monitor()
    await trio.testing.wait_all_tasks_blocked()
    began = trio.current_time()
    house.kill()
    assert (await monitor.wait()).reason == "killed"
    assert trio.current_time() - began == 7


async def test_t03_a_kill_is_told_from_a_crash(house: House, autojump_clock: MockClock) -> None:
    log: list[str] = []
    tidy = await house.start(lambda: Tidy(log))
    monitor = tidy.monitor()
    house.kill()
    assert (await monitor.wait()).reason == "killed"
    assert await house.gone() is None
    assert house.scopes["one"].cancelled_caught


async def test_t03_a_crash_in_the_clean_up_of_a_kill_is_a_crash(
    house: House, autojump_clock: MockClock
) -> None:
    tidy = await house.start(lambda: Tidy([], error=OSError("untidy")))
    monitor = tidy.monitor()
    house.kill()
    assert (await monitor.wait()).reason == "crash OSError"
    assert isinstance(await house.gone(), OSError)
    assert not house.scopes["one"].cancelled_caught


async def test_a_crash_in_the_clean_up_of_a_polite_end_is_a_crash(
    house: House, autojump_clock: MockClock
) -> None:
    tidy = await house.start(lambda: Tidy([], error=OSError("untidy")))
    assert (await tidy.stop()).reason == "crash OSError"
    assert isinstance(await house.gone(), OSError)


async def test_a_crash_in_the_clean_up_of_a_crash_keeps_both(
    house: House, autojump_clock: MockClock
) -> None:
    tidy = await house.start(lambda: Tidy([], error=OSError("untidy")))
    tidy.cast(Fail())
    error = await house.gone()
    assert isinstance(error, OSError)
    assert isinstance(error.__context__, KeyError)


async def test_terminate_may_end_the_actors_tasks(house: House, autojump_clock: MockClock) -> None:
    class Reader(Actor):
        async def init(self) -> None:
            self.nursery.start_soon(trio.sleep_forever)

        async def terminate(self, reason: str) -> None:
            self.nursery.cancel_scope.cancel()

    reader = await house.start(Reader)
    with trio.fail_after(1):
        assert (await reader.stop()).reason == "normal"
    assert await house.gone() is None


async def test_a_shield_in_one_task_does_not_keep_callers_waiting(
    house: House, autojump_clock: MockClock
) -> None:
    class Committing(Tidy):
        async def init(self) -> None:
            self.nursery.start_soon(self.commit)

        async def commit(self) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)

    tidy = await house.start(lambda: Committing([]))
    tidy.cast(Fail())
    await trio.testing.wait_all_tasks_blocked()
    assert house.registry.names() == ()
    assert "one" not in house.ended
    assert isinstance(await house.gone(), KeyError)

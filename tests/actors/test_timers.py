"""Messages an actor sends itself later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors import Actor, Call, Cast, Reply

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.conftest import House


@dataclass(frozen=True)
class Tick(Cast):
    word: str = "tick"
    work: float = 0


@dataclass(frozen=True)
class Crash(Cast):
    pass


@dataclass(frozen=True)
class Set(Call[None]):
    """Sets a timer: once, or every `seconds`."""

    seconds: float
    message: Tick
    again: bool = False


@dataclass(frozen=True)
class Cancel(Call[None]):
    pass


@dataclass(frozen=True)
class Seen(Call[list[tuple[float, str]]]):
    pass


class Clock(Actor):
    """Writes down what comes when."""

    def __init__(self, seen: list[tuple[float, str]]) -> None:
        self.seen = seen
        self.born = trio.current_time()

    async def handle_cast(self, message: Cast) -> None:
        if isinstance(message, Crash):
            raise ValueError("told to")
        assert isinstance(message, Tick)
        self.seen.append((trio.current_time() - self.born, message.word))
        await trio.sleep(message.work)

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        match message:
            case Set(seconds, tick, again):
                self.timer = (self.every if again else self.after)(seconds, tick)
            case Cancel():
                self.timer.cancel()
                self.timer.cancel()
        return None

    async def terminate(self, reason: str) -> None:
        self.after(1000, Tick("never"))


async def test_after_casts_once(house: House, autojump_clock: MockClock) -> None:
    seen: list[tuple[float, str]] = []
    clock = await house.start(lambda: Clock(seen))
    await clock.call(Set(2, Tick("two")))
    await clock.call(Set(1, Tick("one")))
    await trio.sleep(10)
    assert seen == [(1, "one"), (2, "two")]
    assert house.registry.mailboxes["one"].chores == set()


async def test_every_does_not_drift_and_makes_up_for_nothing(
    house: House, autojump_clock: MockClock
) -> None:
    seen: list[tuple[float, str]] = []
    clock = await house.start(lambda: Clock(seen))
    await clock.call(Set(1, Tick(work=0.75), again=True))
    await trio.sleep(3.5)
    assert [when for when, _ in seen] == [1, 2, 3]


async def test_a_cancelled_timer_casts_no_more(house: House, autojump_clock: MockClock) -> None:
    seen: list[tuple[float, str]] = []
    clock = await house.start(lambda: Clock(seen))
    await clock.call(Set(1, Tick(), again=True))
    await trio.sleep(1.5)
    await clock.call(Cancel())
    await clock.call(Set(1, Tick("other")))
    await clock.call(Cancel())
    await trio.sleep(5)
    assert seen == [(1, "tick")]
    assert house.registry.mailboxes["one"].chores == set()


async def test_a_full_mailbox_skips_a_tick_and_counts_it_but_loses_no_timer(
    house: House, autojump_clock: MockClock
) -> None:
    seen: list[tuple[float, str]] = []
    clock = await house.start(lambda: Clock(seen), mailbox_limit=1)
    await clock.call(Set(1, Tick(), again=True))
    await clock.call(Set(1.5, Tick("once")))
    clock.cast(Tick("busy", work=3.25))
    await trio.testing.wait_all_tasks_blocked()
    clock.cast(Tick("fills the mailbox"))
    await trio.sleep(4.5)
    assert seen == [(0, "busy"), (3.25, "fills the mailbox"), (3.25, "once"), (4, "tick")]
    statistics = clock.statistics()
    assert statistics is not None
    assert statistics.skipped_ticks == 3


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("polite", [True, False])
async def test_timers_die_with_the_incarnation(
    polite: bool, again: bool, house: House, autojump_clock: MockClock
) -> None:
    seen: list[tuple[float, str]] = []
    clock = await house.start(lambda: Clock(seen))
    await clock.call(Set(2, Tick(), again))
    if polite:
        with trio.fail_after(1):
            await clock.stop()
    else:
        clock.cast(Crash())
        assert isinstance(await house.gone(), ValueError)
    await house.start(lambda: Clock(seen))
    await trio.sleep(10)
    assert seen == []


async def test_a_timer_still_fires_while_the_actor_serves_its_last_messages(
    house: House, autojump_clock: MockClock
) -> None:
    seen: list[tuple[float, str]] = []
    clock = await house.start(lambda: Clock(seen))
    await clock.call(Set(1, Tick("timer")))
    clock.cast(Tick("last", work=2))
    await clock.stop()
    assert seen == [(0, "last"), (2, "timer")]


async def test_a_period_must_be_positive(house: House, autojump_clock: MockClock) -> None:
    clock = await house.start(lambda: Clock([]))
    with pytest.raises(ValueError, match="must be positive, not 0"):
        Clock([]).every(0, Tick())
    assert clock.statistics() is not None


async def test_every_that_was_starved_goes_on_at_its_next_time(
    house: House, autojump_clock: MockClock
) -> None:
    """A run of the loop that came late by several periods brings one tick, not several."""
    seen: list[tuple[float, str]] = []
    clock = await house.start(lambda: Clock(seen))
    await clock.call(Set(1, Tick(), again=True))
    await trio.testing.wait_all_tasks_blocked()
    autojump_clock.jump(3.5)
    await trio.sleep(0.25)
    await trio.sleep(0.5)
    assert [when for when, _ in seen] == [3.5, 4]

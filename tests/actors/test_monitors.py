"""Monitors and links: exactly one Down, and a crash that spreads only where it was asked to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors import Actor, ActorDown, Call, Cast, Down, Ref, Reply

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.conftest import House


@dataclass(frozen=True)
class Crash(Cast):
    pass


@dataclass(frozen=True)
class Nap(Cast):
    """Keeps the actor busy for a second."""


@dataclass(frozen=True)
class Watch(Call[None]):
    name: str
    link: bool = False


@dataclass(frozen=True)
class Unwatch(Call[None]):
    pass


@dataclass(frozen=True)
class Seen(Call[list[Down]]):
    pass


class Watcher(Actor):
    """Keeps the Downs it is cast."""

    async def init(self) -> None:
        self.seen: list[Down] = []

    async def handle_cast(self, message: Cast) -> None:
        match message:
            case Down():
                self.seen.append(message)
            case Nap():
                await trio.sleep(1)
            case _:
                raise ValueError("told to")

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        match message:
            case Watch(name, link):
                ref = Ref(self.registry, name)
                self.watch = self.link(ref) if link else self.monitor(ref)
            case Unwatch():
                await trio.sleep(1)
                self.watch.cancel()
                self.watch.cancel()
            case Seen():
                return self.seen
        return None


async def end(house: House, name: str, how: str) -> None:
    if how == "crash ValueError":
        house.ref(name).cast(Crash())
    elif how == "normal":
        house.stops[name]()
    else:
        house.kill(name)
    await house.gone(name)


@pytest.mark.parametrize("reason", ["normal", "killed", "crash ValueError"])
async def test_b47_a_monitor_gets_one_down_with_the_reason(
    reason: str, house: House, autojump_clock: MockClock
) -> None:
    target = await house.start(Watcher, "target")
    monitor = target.monitor()
    watcher = await house.start(Watcher, "watcher")
    await watcher.call(Watch("target"))
    assert monitor.down is None
    await end(house, "target", reason)
    down = await monitor.wait()
    assert down == Down("target", reason)
    assert down.abnormal == (reason != "normal")
    assert await monitor.wait() is down
    # A second life and death under the same name is somebody else's.
    await house.start(Watcher, "target")
    await end(house, "target", "killed")
    assert await watcher.call(Seen()) == [Down("target", reason)]


async def test_b47_the_dead_are_down_at_once(house: House, autojump_clock: MockClock) -> None:
    assert await house.ref("nobody").monitor().wait() == Down("nobody", "noproc")
    watcher = await house.start(Watcher, "watcher")
    await watcher.call(Watch("nobody"))
    assert await watcher.call(Seen()) == [Down("nobody", "noproc")]


async def test_b47_a_cancelled_monitor_gets_none(house: House, autojump_clock: MockClock) -> None:
    target = await house.start(Watcher, "target")
    before, after = target.monitor(), target.monitor()
    before.cancel()
    before.cancel()
    await end(house, "target", "killed")
    after.cancel()
    for monitor in (before, after):
        assert monitor.down is None
        with pytest.raises(trio.ClosedResourceError):
            await monitor.wait()


async def test_b47_cancelling_takes_back_a_down_that_was_not_taken_yet(
    house: House, autojump_clock: MockClock
) -> None:
    """The target dies while the watcher is busy in the very handler that cancels."""
    target = await house.start(Watcher, "target")
    watcher = await house.start(Watcher, "watcher")
    await watcher.call(Watch("target"))
    unwatch = watcher.request(Unwatch())
    await trio.testing.wait_all_tasks_blocked()
    watcher.cast(Down("somebody else", "normal"))
    target.cast(Crash())
    await unwatch.wait()
    assert await watcher.call(Seen()) == [Down("somebody else", "normal")]


async def test_b47_cancelling_after_the_down_was_taken_changes_nothing(
    house: House, autojump_clock: MockClock
) -> None:
    target = await house.start(Watcher, "target")
    watcher = await house.start(Watcher, "watcher")
    await watcher.call(Watch("target"))
    target.cast(Crash())
    await house.gone("target")
    assert await watcher.call(Seen()) == [Down("target", "crash ValueError")]
    await watcher.call(Unwatch())
    assert await watcher.call(Seen()) == [Down("target", "crash ValueError")]


async def test_b47_a_full_mailbox_loses_no_down(house: House, autojump_clock: MockClock) -> None:
    await house.start(Watcher, "target")
    watcher = await house.start(Watcher, "watcher", mailbox_limit=1)
    await watcher.call(Watch("target"))
    watcher.cast(Nap())
    await trio.testing.wait_all_tasks_blocked()
    watcher.cast(Nap())
    house.kill("target")
    await house.gone("target")
    statistics = watcher.statistics()
    assert statistics is not None
    assert (statistics.depth, statistics.limit) == (2, 1)
    await trio.sleep(3)
    assert await watcher.call(Seen()) == [Down("target", "killed")]


async def test_b47_a_watcher_that_is_gone_is_not_told(
    house: House, autojump_clock: MockClock
) -> None:
    target = await house.start(Watcher, "target")
    watcher = await house.start(Watcher, "watcher")
    await watcher.call(Watch("target"))
    house.kill("watcher")
    await house.gone("watcher")
    target.cast(Crash())
    assert isinstance(await house.gone("target"), ValueError)


@pytest.mark.parametrize("reason", ["killed", "crash ValueError"])
async def test_b47_an_abnormal_end_goes_through_a_link(
    reason: str, house: House, autojump_clock: MockClock
) -> None:
    await house.start(Watcher, "target")
    watcher = await house.start(Watcher, "watcher")
    await watcher.call(Watch("target", link=True))
    await end(house, "target", reason)
    error = await house.gone("watcher")
    assert isinstance(error, ActorDown)
    assert (error.name, error.reason) == ("target", reason)


async def test_b47_a_link_to_nobody_is_a_crash(house: House, autojump_clock: MockClock) -> None:
    watcher = await house.start(Watcher, "watcher")
    await watcher.call(Watch("nobody", link=True))
    error = await house.gone("watcher")
    assert isinstance(error, ActorDown)
    assert error.reason == "noproc"


async def test_b47_a_normal_end_goes_through_no_link(
    house: House, autojump_clock: MockClock
) -> None:
    await house.start(Watcher, "target")
    watcher = await house.start(Watcher, "watcher")
    await watcher.call(Watch("target", link=True))
    await end(house, "target", "normal")
    await trio.testing.wait_all_tasks_blocked()
    assert await watcher.call(Seen()) == []


async def test_b47_a_cancelled_link_lets_the_other_die(
    house: House, autojump_clock: MockClock
) -> None:
    await house.start(Watcher, "target")
    watcher = await house.start(Watcher, "watcher")
    await watcher.call(Watch("target", link=True))
    await watcher.call(Unwatch())
    await end(house, "target", "killed")
    await trio.testing.wait_all_tasks_blocked()
    assert await watcher.call(Seen()) == []


async def test_b47_a_link_does_not_keep_its_holder_from_ending(
    house: House, autojump_clock: MockClock
) -> None:
    await house.start(Watcher, "target")
    watcher = await house.start(Watcher, "watcher")
    await watcher.call(Watch("target", link=True))
    with trio.fail_after(1):
        assert (await watcher.stop()).reason == "normal"


async def test_b47_a_link_is_over_when_its_holder_cleans_up(
    house: House, autojump_clock: MockClock
) -> None:
    class Tidy(Watcher):
        async def terminate(self, reason: str) -> None:
            await trio.sleep(2)

    await house.start(Watcher, "target")
    tidy = await house.start(Tidy, "tidy")
    await tidy.call(Watch("target", link=True))
    house.stops["tidy"]()
    await trio.sleep(1)
    house.kill("target")
    assert await house.gone("tidy") is None

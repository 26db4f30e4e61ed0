"""The receipt poller over days of virtual time: who is asked when, and that every ticket ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.domain.outcome import Kind, Outcome
from booper.domain.receipt import MISSING, Heard
from booper.store import receipts
from booper.store.sqlite import open_sqlite
from booper.workers import names
from tests.booper.workers.asking import Answering, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DELIVERED = Outcome(Kind.DELIVERED, 200)
DAY = 86_400.0


@pytest.fixture
async def world(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> AsyncIterator[World]:
    async with (
        open_sqlite(tmp_path / "b.sqlite3", slow=False) as database,
        trio.open_nursery() as nursery,
    ):
        yield World(database, nursery)
        nursery.cancel_scope.cancel()


def saying(*heard: Heard) -> Answering:
    """The same for every ticket; one after the other at each question, the last for ever."""
    left = list(heard)

    async def answer(age: float, tickets: tuple[str, ...]) -> list[Heard]:
        said = left.pop(0) if len(left) > 1 else left[0]
        return [said] * len(tickets)

    return answer


async def test_asked_after_a_quarter_of_an_hour(world: World, autojump_clock: object) -> None:
    told, _ = await world.instance(saying(DELIVERED))
    await world.poller()
    await world.accepted(3)
    await world.until(899)
    assert told.asked == []
    await world.until(1000)
    assert [count for _, count in told.asked] == [3]
    assert 900 <= told.asked[0][0] <= 935
    assert await world.counts() == {"delivered": 3}


async def test_what_never_comes_is_unknown_after_a_day(
    world: World, autojump_clock: object
) -> None:
    told, _ = await world.instance(saying(MISSING))
    await world.poller()
    await world.accepted(2)
    await world.until(DAY)
    minutes = [int(age // 60) for age, _ in told.asked]
    assert minutes == [15, 30, 60, 120, 240, 480, 960, 1410]
    assert await world.counts() == {"receipt_unknown": 2}
    assert await world.database.read(receipts.waiting) == []


async def test_an_instance_that_is_down_is_asked_when_it_is_back(
    world: World, autojump_clock: object
) -> None:
    await world.poller()
    await world.accepted(2)
    await world.until(2 * 3600)
    assert await world.counts() == {"accepted": 2}
    await world.instance(saying(DELIVERED))
    await world.until(3 * 3600)
    assert await world.counts() == {"delivered": 2}


async def test_an_instance_that_is_gone_for_good_ends_as_unknown(
    world: World, autojump_clock: object
) -> None:
    await world.poller()
    await world.accepted(1)
    await world.until(DAY + 60)
    assert await world.counts() == {"receipt_unknown": 1}


async def test_one_that_hangs_delays_no_other(world: World, autojump_clock: object) -> None:
    async def never(age: float, tickets: tuple[str, ...]) -> list[Heard]:
        await trio.sleep_forever()
        raise AssertionError

    hanging, _ = await world.instance(never, "main")
    await world.instance(saying(DELIVERED), "other")
    await world.poller()
    await world.accepted(2000, "n1", "main")
    await world.accepted(2000, "n2", "other")
    await world.until(960)
    assert await world.counts("n2") == {"delivered": 2000}
    await world.until(3600)
    assert await world.counts("n1") == {"accepted": 2000}
    assert len(hanging.asked) < 40, "and it is not hammered"


async def test_a_store_that_is_away_forgets_nothing(world: World, autojump_clock: object) -> None:
    told, _ = await world.instance(saying(DELIVERED))
    await world.poller()
    await world.accepted(2)

    async def answer(age: float, tickets: tuple[str, ...]) -> list[Heard]:
        world.flaky.away = True  # while the question is under way
        return [DELIVERED] * len(tickets)

    told._answer = answer
    await world.until(1800)
    assert await world.counts() == {"accepted": 2}
    told._answer = saying(DELIVERED)
    world.flaky.away = False
    await world.until(1900)
    assert await world.counts() == {"delivered": 2}


async def test_it_stops_at_once_also_while_somebody_is_asked(
    world: World, autojump_clock: object
) -> None:
    async def never(age: float, tickets: tuple[str, ...]) -> list[Heard]:
        await trio.sleep_forever()
        raise AssertionError

    told, _ = await world.instance(never)
    stop = await world.poller()
    await world.accepted(2)
    await world.until(940)
    assert told.asked
    stop()
    await trio.sleep(1)
    assert world.registry.whereis(names.RECEIPTS) is None
    assert await world.counts() == {"accepted": 2}


async def test_an_instance_that_crashes_on_it_is_asked_again(
    world: World, autojump_clock: object
) -> None:
    _, stop = await world.instance(saying(DELIVERED))
    stop()
    await world.poller()
    await world.accepted(1)
    await world.until(1000)
    assert await world.counts() == {"accepted": 1}
    await world.instance(saying(DELIVERED))
    await world.until(1800)
    assert await world.counts() == {"delivered": 1}

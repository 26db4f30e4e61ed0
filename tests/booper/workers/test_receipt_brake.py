"""Deaths that receipts tell of go through the brake too: a wave of them is not believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.domain.outcome import Kind, Outcome
from booper.store import quarantine
from booper.store.sqlite import open_sqlite
from tests.booper.store import seeds
from tests.booper.workers.asking import Answering, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from booper.domain.receipt import Heard

DELIVERED = Outcome(Kind.DELIVERED, 200)
GONE = Outcome(Kind.GONE, 200, "DeviceNotRegistered")


@pytest.fixture
async def world(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> AsyncIterator[World]:
    async with (
        open_sqlite(tmp_path / "b.sqlite3", slow=False) as database,
        trio.open_nursery() as nursery,
    ):
        yield World(database, nursery)
        nursery.cancel_scope.cancel()


def dead(every: int) -> Answering:
    """Of so many devices one is gone, and is told so."""

    async def answer(age: float, tickets: tuple[str, ...]) -> list[Heard]:
        numbers = [int(ticket.rpartition("/")[2]) for ticket in tickets]
        return [GONE if number % every == 0 else DELIVERED for number in numbers]

    return answer


async def alive(world: World) -> int:
    ((count,),) = await seeds.rows(
        world.database, "SELECT count(*) FROM devices WHERE gone_at IS NULL"
    )
    return int(count)


async def test_a_wave_of_deaths_is_quarantined_and_can_be_undone(
    world: World, autojump_clock: object
) -> None:
    await world.instance(dead(every=2))
    await world.poller()
    await world.accepted(400)
    await world.until(2000)
    assert await world.counts() == {"delivered": 200, "gone": 200}
    assert await alive(world) == 200, "nothing is sent to them meanwhile"
    assert await world.database.read(quarantine.counts) == {"main": 200}
    (brake,) = await world.database.read(quarantine.brakes)
    assert (brake.instance, brake.dead, brake.judged, brake.paused) == ("main", 200, 400, False)
    await world.database.write(lambda tx: quarantine.decide(tx, "main", undo=True))
    assert await alive(world) == 400


async def test_the_usual_few_are_believed(world: World, autojump_clock: object) -> None:
    await world.instance(dead(every=10))
    await world.poller()
    await world.accepted(400)
    await world.until(2000)
    assert await world.counts() == {"delivered": 360, "gone": 40}
    assert await alive(world) == 360
    assert await world.database.read(quarantine.brakes) == []
    assert await world.database.read(quarantine.counts) == {}

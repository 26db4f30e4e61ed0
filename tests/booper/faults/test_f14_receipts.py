"""F14: Expo loses a tenth of the receipts, has others late, and answers 5xx: within a day of
virtual time every push has its end."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
import trio

from booper.domain.outcome import Kind, Outcome
from booper.domain.receipt import MISSING, Heard, Unasked
from booper.store import receipts
from booper.store.sqlite import open_sqlite
from tests.booper.faults.form import either, tell
from tests.booper.store import seeds
from tests.booper.workers.asking import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DELIVERED = Outcome(Kind.DELIVERED, 200)
GONE = Outcome(Kind.GONE, 200, "DeviceNotRegistered")
DAY = 86_400.0
PUSHES = either(2_000, 20_000)


@pytest.fixture
async def world(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> AsyncIterator[World]:
    async with (
        open_sqlite(tmp_path / "b.sqlite3", slow=False) as database,
        trio.open_nursery() as nursery,
    ):
        yield World(database, nursery)
        nursery.cancel_scope.cancel()


async def test_f14_losses_late_answers_and_outages_all_end_within_a_day(
    world: World, autojump_clock: object
) -> None:
    dice = random.Random(14)
    comes: dict[str, float] = {}  # when a ticket's receipt is there; every tenth is lost

    async def answer(age: float, tickets: tuple[str, ...]) -> list[Heard]:
        await trio.sleep(dice.random() * 20)
        if dice.random() < 0.3:
            return [Unasked("HTTP 503", after=dice.choice([0.0, 120.0]))] * len(tickets)
        for ticket in tickets:
            late = dice.random() * 12 * 3600
            comes.setdefault(ticket, DAY * 2 if len(comes) % 10 == 9 else late)
        return [
            (GONE if hash(comes[ticket]) % 7 == 0 else DELIVERED)
            if comes[ticket] <= age
            else MISSING
            for ticket in tickets
        ]

    told, _ = await world.instance(answer)
    await world.poller()
    await world.accepted(PUSHES)
    await world.until(DAY + 60)
    counts = await world.counts()
    assert await world.database.read(receipts.waiting) == []
    assert set(counts) == {"delivered", "gone", "receipt_unknown"}
    assert sum(counts.values()) == PUSHES
    assert counts["receipt_unknown"] == PUSHES // 10
    dead = await seeds.rows(world.database, "SELECT count(*) FROM devices WHERE gone_at > 0")
    assert dead == [(counts["gone"],)]
    tell("F14", questions=len(told.asked), **counts)
    assert len(told.asked) < either(600, 6_000)

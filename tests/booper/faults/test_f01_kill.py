"""F1: kill -9 again and again while clients speak: nothing lost, one row for each key, and no more
doubles than were under way at a kill."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest
import trio

from tests.booper.faults.clients import Clients
from tests.booper.faults.form import LONG, either, tell

if TYPE_CHECKING:
    from tests.booper.faults.scene import Scene

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(1800 if LONG else 120)]

NOTIFICATIONS = either(240, 20_000)
KILLS = either(3, 50)
CLIENTS = 8
DEVICES = 3
IN_FLIGHT = 8  # batches
DELIVERY = {"batches_in_flight": IN_FLIGHT, "lease": 30.0, "tick": 0.5}


async def test_f1_kills_of_the_only_node_lose_nothing(scene: Scene) -> None:
    await _kill_again_and_again(scene, 1)


async def test_f1_kills_of_two_nodes_lose_nothing(scene: Scene, postgresql_url: str) -> None:
    scene.database = postgresql_url
    await _kill_again_and_again(scene, 2)


async def _kill_again_and_again(scene: Scene, count: int) -> None:
    """One node is killed each time; every fifth time, and the last, all."""
    dice = random.Random()
    await scene.listeners(DEVICES)
    provider = await scene.provider()
    nodes = await scene.started(count, delivery=DELIVERY)
    clients = Clients(nodes)
    async with trio.open_nursery() as nursery:
        begun = trio.current_time()
        nursery.start_soon(clients.run, CLIENTS, NOTIFICATIONS)
        for number in range(KILLS):
            await clients.answered((number + 1) * NOTIFICATIONS // (KILLS + 1))
            await trio.sleep(dice.random() * 0.03)  # any moment, not just after an answer
            doomed = nodes if number % 5 == 4 or number == KILLS - 1 else [dice.choice(nodes)]
            for node in doomed:
                await node.kill()
            for node in doomed:
                await node.start()
    await scene.settled(NOTIFICATIONS)
    seconds = trio.current_time() - begun
    assert await scene.end() == [0] * count
    figures = await scene.balance(clients)
    times = [entry["time"] for entry in await provider.entries()]
    pauses = [after - before for before, after in itertools.pairwise(times)]
    tell(
        f"F1 {scene.database.partition(':')[0]}",
        keys=len(clients.answers),
        kills=KILLS,
        seconds=seconds,
        longest_pause=max(pauses),
        retries=clients.retries,
        **figures._asdict(),
    )
    assert figures.lawful
    assert (figures.waiting, figures.failed) == (0, 0)
    assert len(clients.answers) == NOTIFICATIONS
    assert figures.duplicates <= KILLS * count * IN_FLIGHT * DEVICES
    assert clients.retries > 0, "no client ever noticed a kill: the run shows nothing"

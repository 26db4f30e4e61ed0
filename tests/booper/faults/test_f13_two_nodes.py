"""F13: two nodes on one database with everything scheduled for one moment: each is sent once. One
is killed in the middle; one is frozen until the other takes its leases over."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import trio

from tests.booper.faults.clients import Clients
from tests.booper.faults.form import LONG, either, tell

if TYPE_CHECKING:
    from tests.booper.faults.scene import Scene

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900 if LONG else 120)]
EACH = either(40, 1_000)
DEVICES = 3
LATER = either(1.5, 10.0)  # seconds
FROZEN = 15.0  # seconds; after ten without a sign of life a node counts as dead


async def test_f13_two_nodes_share_the_work(scene: Scene, postgresql_url: str) -> None:
    scene.database = postgresql_url
    await scene.listeners(DEVICES)
    provider = await scene.provider()
    first, second = await scene.started(2, delivery={"tick": 0.1, "lease": 20.0})
    clients = Clients([first, second])
    await _scheduled(clients, "both")
    await scene.settled(EACH)
    assert (await provider.summary())["duplicates"] == 0, "both sent the same"

    await provider.script({"kind": "delay", "seconds": 0.2})
    await _scheduled(clients, "killed")
    await provider.accepted((EACH + 2) * DEVICES)
    await first.kill()
    await scene.settled(2 * EACH)
    after_kill = (await provider.summary())["duplicates"]
    await first.start()

    if LONG:
        await _scheduled(clients, "frozen")
        await provider.accepted((2 * EACH + 2) * DEVICES)
        first.life.signal(signal.SIGSTOP)
        clients.nodes = [second]
        await trio.sleep(FROZEN)
        await scene.settled(3 * EACH)
        first.life.signal(signal.SIGCONT)
        clients.nodes = [first, second]
        await _scheduled(clients, "thawed")
        await scene.settled(4 * EACH)

    assert await scene.end() == [0, 0]
    figures = await scene.balance(clients)
    tell("F13", after_kill=after_kill, **figures._asdict())
    assert figures.lawful
    assert (figures.waiting, figures.failed) == (0, 0)


async def _scheduled(clients: Clients, name: str) -> None:
    """So many, for one moment."""
    at = datetime.fromtimestamp(time.time() + LATER, UTC).isoformat()
    async with trio.open_nursery() as nursery:
        for number in range(EACH):
            nursery.start_soon(_one, clients, f"{name}-{number}", at)


async def _one(clients: Clients, key: str, at: str) -> None:
    await clients.say(key, scheduled_at=at)

"""F10: nodes whose clocks are wrong, and jump: the database's time decides, so no lease is taken
twice, nothing expires, and what is minted is valid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.booper.faults.clients import Clients
from tests.booper.faults.form import LONG, either, tell

if TYPE_CHECKING:
    from tests.booper.faults.scene import Scene

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(600 if LONG else 120)]
EACH = either(40, 2_000)
DEVICES = 3
YEARS = 10 * 365 * 86_400
CLOCKS = ("300", "-3600", f"0/{YEARS}/1", "0/-3600/1")


async def test_f10_wrong_clocks_change_nothing(scene: Scene, postgresql_url: str) -> None:
    scene.database = postgresql_url
    await scene.listeners(DEVICES)
    provider = await scene.provider()
    config = scene.config(delivery={"tick": 0.2, "lease": 10.0})
    nodes = [scene.node(config, program=("unwell", f"clock:{clock}")) for clock in CLOCKS]
    for node in nodes:
        await node.start()  # those that jump do so while the others start, or while they work
    clients = Clients(nodes)
    await clients.run(4, EACH)
    await scene.settled(EACH)
    await clients.run(4, EACH)
    await scene.settled(2 * EACH)
    refused = (await provider.summary())["refused"]
    assert await scene.end() == [0] * len(nodes)
    figures = await scene.balance(clients)
    tell("F10", refused=refused, **figures._asdict())
    assert refused == {}, "a provider token was minted by a wrong clock"
    assert figures.lawful
    assert (figures.waiting, figures.failed, figures.duplicates) == (0, 0, 0)
    for node in nodes:
        assert "leases_expired" not in node.said()

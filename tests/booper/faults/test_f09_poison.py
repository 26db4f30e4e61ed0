"""F9: a notification that kills the process that sends it, again and again: parked after three
deaths, its neighbours sent, and made good when it has been mended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from tests.booper.faults.clients import Clients
from tests.booper.faults.form import LONG, PATIENCE, either, tell

if TYPE_CHECKING:
    from tests.booper.faults.nodes import Node
    from tests.booper.faults.scene import Scene

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900 if LONG else 120)]
GOOD = either(10, 200)  # before it, and after
LIVES = 12


@pytest.mark.parametrize("way", either(["exit"], ["exit", "memory", "bug", "loop:20"]))
async def test_f9_poison_is_parked(scene: Scene, way: str) -> None:
    await scene.listeners(2)
    provider = await scene.provider()
    config = scene.config(delivery={"tick": 0.1, "lease": 5.0})
    ill, well = scene.node(config, program=("unwell", f"poison:{way}")), scene.node(config)
    clients = Clients([ill])
    await ill.start()
    await clients.run(2, GOOD)
    begun = trio.current_time()
    await clients.say("poison")
    if way.startswith("loop"):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clients.run, 2, GOOD)
        await scene.settled(2 * GOOD + 1)
    else:
        parked = await _until_parked(scene, ill)
        deaths = ill.starts - 1
        await clients.run(2, GOOD)
        await provider.accepted(2 * 2 * GOOD)
        assert [one["deaths"] for one in parked] == [3]
        assert deaths <= either(4, 6) if way == "exit" else deaths == 0
        tell(f"F9 {way}", deaths=deaths, seconds=trio.current_time() - begun)
    await ill.end()
    figures = await scene.balance(clients)
    tell(f"F9 {way}", **figures._asdict())
    assert figures.lawful
    assert figures.failed == 0
    assert figures.waiting == (0 if way.startswith("loop") else 2), "only it waits"

    await well.start()
    if not way.startswith("loop"):
        where = f"{well.url}/api/admin/batches/parked/release"
        body = {"batches": [one["batch"] for one in parked]}
        assert (await scene.client.post(where, json=body)).json() == {"batches": 1}
    await scene.settled(2 * GOOD + 1)
    assert await well.end() == 0
    figures = await scene.balance(clients)
    assert figures.lawful
    assert (figures.waiting, figures.failed) == (0, 0)


async def _until_parked(scene: Scene, node: Node) -> list[dict[str, Any]]:
    """Start it as often as it dies, until what it died of is parked; what is."""
    with trio.fail_after(PATIENCE):
        while True:
            try:
                answer = await scene.client.get(f"{node.url}/api/admin/batches/parked")
            except httpx.TransportError:
                if node.life.gone:
                    assert node.starts < LIVES, "it dies for ever"
                    await node.life.ended()
                    await node.start(insist=False)
                await trio.sleep(0.05)
                continue
            assert answer.status_code == 200, answer.text
            found: list[dict[str, Any]] = answer.json()["data"]
            if found:
                return found
            await trio.sleep(0.05)

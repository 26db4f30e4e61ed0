"""F3: SIGTERM in the middle of a campaign, again and again, and one that is not waited for."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
import trio

from booper.domain.delivery import BATCH_SIZE
from booper.ports import Sql
from tests.booper.faults.clients import Clients
from tests.booper.faults.form import LONG, either, tell

if TYPE_CHECKING:
    from tests.booper.faults.providers import Provider
    from tests.booper.faults.scene import Scene

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(600 if LONG else 120)]
DEVICES = either(6_000, 60_000)
IN_FLIGHT = 4
STREAMS, DELAY = 500, 0.2  # at most 2,500 a second, whatever the machine
_LEASED = Sql("SELECT count(*) FROM batches WHERE lease IS NOT NULL")
_ENDS = Sql("SELECT count(*) FROM every_delivery")


async def test_f3_sigterm_under_load(scene: Scene) -> None:
    await scene.listeners(DEVICES)
    provider = await scene.provider()
    (node,) = await scene.started(delivery={"batches_in_flight": IN_FLIGHT, "tick": 0.2})
    await provider.script({"kind": "fewstreams", "streams": STREAMS})
    await provider.script({"kind": "delay", "seconds": DELAY})
    clients = Clients([node])
    await clients.say("campaign")

    await provider.accepted(DEVICES // 10)
    assert await node.end() == 0
    arrived = (await provider.summary())["accepted"]
    assert arrived < DEVICES, "the signal came too late to show anything"
    async with scene.looked_into() as ask:
        assert await ask(_LEASED) == [(0,)], "a clean end leaves no lease behind"
        assert await ask(_ENDS) == [(arrived,)], "what was sent is written down"

    await node.start()
    await provider.accepted(arrived + DEVICES // 10)
    for _ in range(5):
        node.life.signal(signal.SIGTERM)
        await trio.sleep(0.01)
    statuses = [await node.life.ended()]
    assert (await provider.summary())["accepted"] < DEVICES

    await node.start()
    await _hang(provider)
    node.life.signal(signal.SIGTERM)
    with trio.move_on_after(either(0.3, 1.0)):
        await node.life.ended()
        raise AssertionError("it ended although its provider hangs")
    await node.kill()

    await provider.heal()
    await node.start()
    await scene.settled(1)
    statuses.append(await node.end())
    figures = await scene.balance(clients)
    tell("F3", statuses=statuses, **figures._asdict())
    assert figures.lawful
    assert (figures.waiting, figures.failed, figures.lost) == (0, 0, 0)
    assert figures.doubted <= 2 * IN_FLIGHT * BATCH_SIZE
    assert statuses[-1] == 0


async def _hang(provider: Provider) -> None:
    """From now on it answers nobody; over when something waits for it."""
    before = (await provider.summary())["accepted"]
    await provider.heal()
    await provider.script({"kind": "delay", "seconds": 600})
    await provider.accepted(before + 1)

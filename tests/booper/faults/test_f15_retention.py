"""F15: everything final grows old at once while people read and some still waits to be sent: what
is not final is never deleted, and nobody who reads meets an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.ports import Sql
from tests.booper.faults.clients import Clients
from tests.booper.faults.form import LONG, PATIENCE, either, tell

if TYPE_CHECKING:
    from tests.booper.faults.nodes import Node
    from tests.booper.faults.scene import Scene

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900 if LONG else 120)]
OLD, WAITING = either(150, 5_000), either(20, 500)
DAYS = 40
_LEFT = Sql("SELECT count(*), count(finished_at) FROM notifications")
_FANOUTS = Sql("SELECT count(*) FROM fanouts")
_ROWS = Sql("SELECT count(*) FROM every_delivery")


async def test_f15_retention_takes_only_what_is_final(scene: Scene) -> None:
    await scene.listeners(2)
    await scene.provider()
    config = scene.config(delivery={"tick": 0.1})
    node = scene.node(config)
    later = scene.node(config, program=("unwell", f"clock:{DAYS * 86_400}"))
    clients = Clients([node])
    await node.start()
    await clients.run(4, OLD)
    await scene.settled(OLD)
    figures_before = len(clients.answers)
    old = clients.ids
    answer = await scene.client.post(f"{node.url}/api/admin/instances/apns/disable")
    assert answer.status_code == 200, answer.text
    await clients.run(4, WAITING)
    waiting = clients.ids[figures_before:]
    async with scene.looked_into() as ask:
        with trio.fail_after(PATIENCE):
            while await ask(_FANOUTS) != [(0,)]:
                await trio.sleep(0.05)
    assert await node.end() == 0
    assert (await scene.balance(clients)).lawful

    await later.start()
    async with scene.looked_into() as ask:
        with trio.fail_after(PATIENCE):
            reads, left = {200: 0, 404: 0}, (0, 0)
            while left != (WAITING, WAITING):
                left = (await ask(_LEFT))[0]
                assert left[0] >= WAITING, "something that was not final is gone"
                for own in (old[0], old[-1], waiting[0], waiting[-1]):
                    status = await _read(scene, later, own)
                    assert status == 200 or own in old, "it waits, and cannot be found"
                    reads[status] += 1
        with trio.fail_after(PATIENCE):
            while await ask(_ROWS) != [(2 * WAITING,)]:
                await trio.sleep(0.05)
    for own in waiting:
        assert await _read(scene, later, own) == 200
    assert await later.end() == 0
    tell("F15", deleted=OLD, kept=WAITING, reads=reads)
    assert reads[200] > 0


async def _read(scene: Scene, node: Node, own: str) -> int:
    answer = await scene.client.get(f"{node.url}/api/notifications/{own}")
    assert answer.status_code in (200, 404), answer.text
    return answer.status_code

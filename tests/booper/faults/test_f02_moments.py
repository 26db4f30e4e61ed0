"""F2: kill -9 at the four worst moments of one notification: what is lost, what is doubled."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import trio

from booper.demo import CHANNEL
from booper.ports import Sql
from tests.booper.faults.clients import Clients
from tests.booper.faults.form import tell
from tests.booper.faults.line import request

if TYPE_CHECKING:
    from tests.booper.faults.nodes import Node
    from tests.booper.faults.scene import Scene

pytestmark = pytest.mark.real
_ROWS = Sql("SELECT count(*) FROM notifications")


async def test_f2_the_four_worst_moments(scene: Scene) -> None:
    """One device, so that a double is exactly one more in the ledger."""
    await scene.listeners(1)
    provider = await scene.provider()
    config = scene.config(delivery={"tick": 0.1})
    node, dying = scene.node(config), scene.node(config, program=("unwell", "killed-by-answers"))
    clients = Clients([node])
    doubles: dict[str, int] = {}

    await node.start()
    await _turn(scene, node, "disable")  # nobody claims anything
    await _say_without_listening(scene, node, "after-the-commit")
    await node.kill()
    await node.start()
    await clients.say("after-the-commit")
    await clients.say("after-the-202")
    await node.kill()
    await node.start()
    async with scene.looked_into() as ask:
        assert await ask(_ROWS) == [(2,)], "a key made two rows, or none"
    await _turn(scene, node, "enable")
    await scene.settled(2)
    doubles["before-the-claim"] = (await provider.summary())["duplicates"]

    await provider.script({"kind": "delay", "seconds": 600}, times=1)
    await clients.say("after-the-write")
    await provider.accepted(3)
    await node.kill()
    await node.start()
    await scene.settled(3)
    doubles["after-the-write"] = (await provider.summary())["duplicates"]
    assert await node.end() == 0

    await dying.start()
    clients.nodes = [dying]
    await clients.say("after-the-answer")
    assert await dying.life.ended() == -signal.SIGKILL
    await node.start()
    await scene.settled(4)
    doubles["after-the-answer"] = (await provider.summary())["duplicates"]
    assert await node.end() == 0

    figures = await scene.balance(clients)
    tell("F2", **{name.replace("-", "_"): count for name, count in doubles.items()})
    tell("F2", **figures._asdict())
    assert doubles == {"before-the-claim": 0, "after-the-write": 1, "after-the-answer": 2}
    assert figures.lawful
    assert (figures.waiting, figures.failed) == (0, 0)
    assert figures.doubted == figures.duplicates == 2


async def _turn(scene: Scene, node: Node, verb: str) -> None:
    answer = await scene.client.post(f"{node.url}/api/admin/instances/apns/{verb}")
    assert answer.status_code == 200, answer.text


async def _say_without_listening(scene: Scene, node: Node, key: str) -> None:
    """A client that never reads its answer; over when the store has the row."""
    place, body = urlsplit(node.url), {"channel": CHANNEL, "title": key}
    asked = request(node.url, "/api/notify", body, Idempotency_Key=key)
    stream = await trio.open_tcp_stream(str(place.hostname), place.port or 0)
    async with stream, scene.looked_into() as ask:
        await stream.send_all(asked)
        with trio.fail_after(30):
            while await ask(_ROWS) != [(1,)]:
                await trio.sleep(0.01)

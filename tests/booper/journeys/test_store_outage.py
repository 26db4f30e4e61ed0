"""PostgreSQL away: 503 with Retry-After and never a false 202; well again without a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.settings import Delivery
from tests.booper import servers
from tests.booper.journeys.nodes import nodes, until
from tests.booper.store.seeds import rows

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.booper.journeys.house import Journey

pytestmark = pytest.mark.real
CUT = (
    "SELECT pg_terminate_backend(pid)::int FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
)


async def answers(node: Journey, path: str, body: Any = None) -> httpx.Response:
    return await node.client.request("GET" if body is None else "POST", path, json=body)


def away(answer: httpx.Response) -> None:
    """It is the answer to an outage."""
    assert answer.status_code == 503, answer.text
    assert answer.json()["code"] == "store_unavailable"
    assert int(answer.headers["Retry-After"]) > 0
    assert "Traceback" not in answer.text


async def ready(node: Journey) -> bool:
    return (await answers(node, "/readyz")).status_code == 200


class Client:
    """Says notifications all the time, each with a key of its own, and remembers the answers."""

    def __init__(self, node: Journey) -> None:
        self._node = node
        self.accepted: list[str] = []
        self.refused = 0
        self.enough = False

    async def run(self) -> None:
        number = 0
        while not self.enough:
            number += 1
            answer = await answers(
                self._node, "/api/notify", {"channel": "news", "title": str(number)}
            )
            if answer.status_code == 202:
                self.accepted.append(answer.json()["id"])
            else:
                away(answer)
                self.refused += 1
            await trio.sleep(0.005)


async def test_a_server_that_goes_and_comes_back_is_a_named_state(tmp_path: Path) -> None:
    with servers.postgresql() as url:
        if url is None or (server := servers.running()) is None:
            pytest.skip("NOT RUN: no PostgreSQL programs to start and stop a server with")
        database = await servers.fresh_database(url)
        tick = Delivery(tick=0.2)
        async with nodes(tmp_path, database, count=1, delivery=tick) as (node,):
            await until(lambda: ready(node))
            await node.register(3)
            client = Client(node)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.run)
                await until(lambda: _more(client.accepted, 5))
                # Connections cut one and all, while it writes: a moment's trouble.
                await rows(node.booper.ports.database, CUT)
                count = len(client.accepted)
                await until(lambda: _more(client.accepted, count + 5))
                server.stop()
                refused = client.refused
                await until(lambda: _longer(client, refused + 5))
                assert (await answers(node, "/healthz")).status_code == 200
                for path, body in (
                    ("/readyz", None),
                    ("/api/admin/nodes", None),
                    ("/api/devices", {"provider": "apns", "device_token": "ab" * 32}),
                    ("/api/admin/instances/apns/stop", {}),
                ):
                    away(await answers(node, path, body))
                server.start()
                await until(lambda: ready(node))
                count = len(client.accepted)
                await until(lambda: _more(client.accepted, count + 5))
                client.enough = True
            for own in client.accepted:  # not one of them was a promise without a row
                shown = await node.done(own)
                assert sum(shown["counts"].values()) == 3, shown


async def _more(found: list[str], count: int) -> bool:
    return len(found) >= count


async def _longer(client: Client, refused: int) -> bool:
    return client.refused >= refused

"""Many requests leave nothing behind."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from booper.http2 import Server, answer_block
from booper.transport.pool import Pool
from booper.wire import Endpoint, Reply
from tests.booper.transport.conftest import TEMPLATE, EvenDice, stamps
from tests.booper.transport.lines import Net

if TYPE_CHECKING:
    import trio

    from tests.booper.transport.peers import Near

BLOCK = answer_block(200, ((b"apns-id", b"a6bd9c2e-6a8e-4c4e-9d5a-0c1c6b1f0a11"),))


class Twin:
    """The engine's own server, which is fast enough for many requests."""

    def __init__(self) -> None:
        self._server = Server()
        self._near: Near | None = None

    def begin(self, near: Near) -> None:
        self._near = near
        near.say(self._server.take())

    def hear(self, data: bytes) -> None:
        server, near = self._server, self._near
        assert near is not None
        for request in server.receive(data):
            server.respond(request[0], BLOCK)
        near.say(server.take())


@pytest.mark.slow
async def test_memory_does_not_grow_with_requests(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    net = Net(nursery, Twin)
    pool = Pool(Endpoint("a", max_connections=2), dial=net.dial, dice=EvenDice())
    nursery.start_soon(pool.run)
    batch = stamps(500)

    async def send(batches: int) -> int:
        for _ in range(batches):
            answers = await pool.send(TEMPLATE, batch, timeout=60)
            assert all(isinstance(a, Reply) and a.status == 200 for a in answers)
            await pool.send(TEMPLATE, batch[:1], timeout=60)
        del answers
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = await send(20)
        after = await send(100)
    finally:
        tracemalloc.stop()
    assert after - before < 50_000  # a byte for each of 50,100 requests would already be too much

"""F11: Redis stopped, frozen, emptied, replaced by something that talks junk: limits are then each
node's own, nobody gets a 500, and no answer reaches another's request."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
import trio

from booper.bench import throwaway
from tests.booper.faults.clients import Clients
from tests.booper.faults.form import LONG, either, tell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.booper.faults.scene import Scene

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900 if LONG else 120)]
EACH = either(25, 1_000)
FROZEN = either(0.7, 2.0)  # seconds; more than a node's patience


async def test_f11_redis_goes_away_in_every_way(scene: Scene) -> None:
    with throwaway.redis() as url:
        redis = throwaway.running_redis()
        if url is None or redis is None:
            pytest.skip("NOT RUN: no Redis program here")
        place = url.removeprefix("unix://")
        await scene.listeners(1)
        await scene.provider()
        (node,) = await scene.started(
            redis=url, delivery={"tick": 0.2}, public={"per_address": 5_000, "per_channel": 5_000}
        )
        clients = Clients([node])

        async def trouble(name: str, cause: Callable[[], Awaitable[None]]) -> None:
            begun, done = trio.current_time(), len(clients.answers)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(clients.run, 4, EACH)
                await clients.answered(done + EACH // 4)
                await cause()
            tell(f"F11 {name}", seconds=trio.current_time() - begun, refusals=clients.refusals)

        async def freeze() -> None:
            redis.pause()
            await trio.sleep(FROZEN)
            redis.go_on()

        async def empty() -> None:
            async with await trio.open_unix_socket(place) as stream:
                await stream.send_all(b"FLUSHALL\r\n")
                assert await stream.receive_some() == b"+OK\r\n"

        async def stop() -> None:
            redis.stop()

        async def junk() -> None:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(place)
                listener.listen()
                async with trio.open_nursery() as nursery:
                    own = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
                    nursery.start_soon(trio.serve_listeners, _babble, [own])
                    await clients.answered(len(clients.answers) + EACH // 4)
                    nursery.cancel_scope.cancel()
            await trio.Path(place).unlink()

        async def start() -> None:
            redis.start()  # in line: it dies with the thread that started it

        causes = {"frozen": freeze, "emptied": empty, "stopped": stop, "junk": junk, "back": start}
        for name, cause in causes.items():
            await trouble(name, cause)
        await scene.settled(len(clients.answers))
        assert await node.end() == 0
    figures = await scene.balance(clients)
    tell("F11", keys=len(clients.answers), refusals=clients.refusals, **figures._asdict())
    assert clients.refusals == {}, "somebody was refused although no limit was reached"
    assert figures.lawful
    assert (figures.waiting, figures.failed) == (0, 0)
    assert '"event": "crash"' not in node.said()


async def _babble(stream: trio.SocketStream) -> None:
    """Not a word of Redis."""
    async with stream:
        while await stream.receive_some():
            await stream.send_all(b"\x00junk:*-7\r\n$99999999999\r\n")

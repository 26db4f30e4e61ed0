"""F5: PostgreSQL restarted, its connections cut one by one and all at once, frozen, and full: 503
with a Retry-After, never a 500, never a false 202; sends go on as soon as it is back."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import trio

from booper.bench import throwaway
from tests.booper.faults.clients import Clients
from tests.booper.faults.form import LONG, PATIENCE, either, tell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from booper.bench.throwaway import Server
    from tests.booper.faults.scene import Scene

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900 if LONG else 120)]
EACH = either(30, 1_000)  # notifications in the course of each trouble
CLIENTS = 4
FROZEN = either(1.0, 30.0)  # seconds
_CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
_CUT_OTHERS = f"{_CUT} AND application_name <> 'hoarder'"


async def test_f5_postgresql_goes_away_in_every_way(scene: Scene) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(throwaway.postgresql())
        server = throwaway.running()
        if url is None or server is None:
            pytest.skip("NOT RUN: no PostgreSQL programs to start and stop a server with")
        scene.database = url
        await scene.listeners(2)
        await scene.provider()
        nodes = await scene.started(2, delivery={"tick": 0.2}, postgresql={"connections": 3})
        clients = Clients(nodes)

        async def trouble(name: str, cause: Callable[[], Awaitable[None]]) -> None:
            """Clients speak before, during and after it."""
            done, refused = len(clients.answers), clients.refusals.get(503, 0)
            begun = trio.current_time()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(clients.run, CLIENTS, EACH)
                await clients.answered(done + EACH // 3)
                await cause()
            await scene.settled(len(clients.answers))
            now = clients.refusals.get(503, 0)
            tell(f"F5 {name}", refused=now - refused, seconds=trio.current_time() - begun)

        async def restart() -> None:
            server.stop()
            await _refused(clients)
            server.start()  # in line: it dies with the thread that started it

        async def cut() -> None:
            with psycopg.connect(url, autocommit=True) as admin:
                admin.execute(_CUT)

        async def freeze() -> None:
            _signal(server, signal.SIGSTOP)
            await trio.sleep(FROZEN)
            _signal(server, signal.SIGCONT)

        async def fill() -> None:
            with ExitStack() as held:
                admin = held.enter_context(psycopg.connect(url, autocommit=True))
                _take_all(url, held)
                while admin.execute(_CUT_OTHERS).fetchall():  # until none of theirs came back
                    _take_all(url, held)
                _take_all(url, held)
                await _refused(clients)

        for name, cause in (("restart", restart), ("cut", cut), ("freeze", freeze), ("full", fill)):
            await trouble(name, cause)
        assert await scene.end() == [0, 0]
        figures = await scene.balance(clients)
        tell("F5", keys=len(clients.answers), retries=clients.retries, **figures._asdict())
        assert figures.lawful
        assert (figures.waiting, figures.failed) == (0, 0)
        said = [node.said() for node in nodes]
        assert any("store_unavailable" in log for log in said), "an outage has its name in the log"


async def _refused(clients: Clients) -> None:
    """Wait until some client has met a 503."""
    before = clients.refusals.get(503, 0)
    with trio.fail_after(PATIENCE):
        while clients.refusals.get(503, 0) == before:
            await trio.sleep(0.01)


def _signal(server: Server, number: signal.Signals) -> None:
    """The whole server, as a cut cable would: nothing is closed, nobody answers."""
    assert server._process is not None
    pid = server._process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for one in (pid, *map(int, children)):
        os.kill(one, number)


def _take_all(url: str, held: ExitStack) -> None:
    """Every connection that is left."""
    try:
        for _ in range(500):
            held.enter_context(psycopg.connect(url, application_name="hoarder"))
    except psycopg.OperationalError:
        return
    raise AssertionError("there was no end of connections")

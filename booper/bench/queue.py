"""The queue alone, on PostgreSQL: claim and complete, beside procrastinate and PgQueuer.

Ours counts devices: each has its outcome stored. Theirs count no-op jobs. All on one server, one
after the other in the same run, each in a database of its own.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import trio

from booper.bench import audience, throwaway
from booper.bridge import open_bridge
from booper.clock import SystemClock, UuidIds
from booper.domain.delivery import settle
from booper.domain.fairness import Hand
from booper.domain.outcome import ACCEPTED
from booper.domain.routing import Routes
from booper.settings import Settings
from booper.store import channels, fanouts, notifications, outbox, settlements
from booper.store.notifications import Accepted
from booper.store.opening import open_database

if TYPE_CHECKING:
    from booper.ports import Database, Tx
    from booper.store.outbox import Claimed

RIVALS = {
    "procrastinate": 1,
    "pgqueuer": 5,
}  # how many times `jobs` each gets: it is so much faster
TIMEOUT = 300.0
CHANNEL = "bench"


def measure(devices: int, jobs: int, database: str) -> dict[str, float]:
    """The figures of one run. `database`: a server's URL, or "postgresql" for a throw-away one."""
    with ExitStack() as stack:
        if database == "postgresql":
            url = stack.enter_context(throwaway.postgresql(durable=True))
            if url is None:
                raise SystemExit("There is no PostgreSQL here: give a URL.")
            database = url
        figures = {"devices": float(devices), "per_second": trio.run(_ours, database, devices)}
        for name, times in RIVALS.items():
            found = _rival(name, trio.run(_fresh, database, f"booper_bench_{name}"), jobs * times)
            figures[f"{name}_per_second"] = found
            figures[f"ratio_to_{name}"] = figures["per_second"] / found
        return figures


def _rival(name: str, url: str, jobs: int) -> float:
    command = [sys.executable, "-m", "booper.bench.queue_rivals", name, url, str(jobs)]
    run = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False)  # noqa: S603
    if run.returncode:
        raise SystemExit(f"{name} did not end well: {run.stderr.decode()[-500:]}")
    return float(run.stdout)


async def _fresh(server: str, name: str) -> str:
    """A new database on the server."""

    async def create() -> None:
        connection = await asyncpg.connect(server)
        try:
            await connection.execute(f"DROP DATABASE IF EXISTS {name}")
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()

    async with open_bridge() as bridge:
        await bridge.call(create)
    return urlsplit(server)._replace(path=f"/{name}").geturl()


async def _ours(server: str, devices: int) -> float:
    url = await _fresh(server, "booper_bench_ours")
    await audience.prepare(url, {CHANNEL: devices})
    async with open_database(Settings(database=url)) as database:
        now = SystemClock().wall()
        await _put(database, now)
        begun, done = perf_counter(), 0
        async with trio.open_nursery() as nursery:  # two batches' hands, as two instances have
            send, receive = trio.open_memory_channel[int](100)
            for number in range(2):
                nursery.start_soon(_worker, database, f"lease-{number}", send.clone())
            send.close()
            async for count in receive:
                done += count
        seconds = perf_counter() - begun
    if done != devices:
        raise SystemExit(f"{devices} devices, {done} done")
    return devices / seconds


async def _put(database: Database, now: float) -> None:
    routes = Routes({"bench": "apns"}, {})

    async def notify(tx: Tx) -> None:
        room = await channels.ensure(tx, UuidIds().mint(), CHANNEL, now)
        await notifications.accept(tx, [Accepted(UuidIds().mint(), room, "{}", now, now + 3600)])

    await database.write(notify)
    while await database.write(fanouts.expand, routes, 0, now) is not None:
        pass


async def _worker(database: Database, lease: str, send: trio.MemorySendChannel[int]) -> None:
    clock = SystemClock()

    async def claim(tx: Tx) -> list[Claimed]:
        now = clock.wall()
        hand = {"bench": Hand(8, {}, 0)}
        return await outbox.claim(tx, hand, outbox.Terms(lease, "bench", now, now + 60), 8)

    async with send:
        while claimed := await database.write(claim):
            now = clock.wall()
            batches = [one.opened([""] * len(one.devices)) for one in claimed]
            ended = [settle(b, [ACCEPTED] * len(b.targets), now=now, dice=0.5) for b in batches]
            await database.write(settlements.settle, ended, now)
            await send.send(sum(len(batch.targets) for batch in batches))

"""Other people's queues on PostgreSQL, at their best: no-op jobs, put in beforehand, worked off.

    python -m booper.bench.queue_rivals procrastinate|pgqueuer URL JOBS

prints the jobs a second. In a process and a database of its own.
"""

from __future__ import annotations

import asyncio
import sys
from time import perf_counter

import asyncpg


async def pgqueuer(url: str, jobs: int) -> float:
    """PgQueuer, 100 jobs a fetch."""
    from pgqueuer.applications import PgQueuer
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.queries import Queries
    from pgqueuer.types import QueueExecutionMode

    connection = await asyncpg.connect(url)
    driver = AsyncpgDriver(connection)
    await Queries(driver).install()
    queue = PgQueuer(driver)

    @queue.entrypoint("nothing")
    async def nothing(job: object) -> None:
        """No work, so that only the queue is measured."""

    await Queries(driver).enqueue(["nothing"] * jobs, [None] * jobs, [0] * jobs)
    begun = perf_counter()
    await queue.run(batch_size=100, mode=QueueExecutionMode.drain)
    return jobs / (perf_counter() - begun)


async def procrastinate(url: str, jobs: int) -> float:
    """procrastinate, ten jobs at a time."""
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=url))

    @app.task(name="nothing")
    async def nothing() -> None:
        """No work, so that only the queue is measured."""

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await nothing.batch_defer_async(*({} for _ in range(jobs)))
        begun = perf_counter()
        await app.run_worker_async(concurrency=10, wait=False, install_signal_handlers=False)
        return jobs / (perf_counter() - begun)


def main() -> None:
    name, url, jobs = sys.argv[1:]
    work = {"pgqueuer": pgqueuer, "procrastinate": procrastinate}[name]
    sys.stdout.write(f"{asyncio.run(work(url, int(jobs)))}\n")


if __name__ == "__main__":
    main()

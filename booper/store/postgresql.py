"""Opening a PostgreSQL database: migrated under a lock, its pool open at full size."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import trio

from booper.bridge import open_bridge, ungrouped
from booper.domain.errors import Misconfigured
from booper.store.migrate import APPLIED, migrate_postgresql
from booper.store.postgresql_driver import SILENCE, PostgresDatabase, outage
from booper.store.postgresql_url import tls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from booper.bridge import Bridge

CONNECTIONS = 8
WRITERS = 4  # of them may commit a group at once
CONNECT = 10.0  # seconds


class _Connection(asyncpg.Connection):
    """Without the reset that asyncpg sends at each release: we leave no session state behind."""

    def get_reset_query(self) -> str:
        return ""


@asynccontextmanager
async def open_postgresql(
    url: str,
    *,
    connections: int = CONNECTIONS,
    prepared: bool = True,
    silence: float = SILENCE,
) -> AsyncIterator[PostgresDatabase]:
    """The database at `postgresql://…`, migrated as needed; any number of processes may.

    `silence`: seconds that a statement may go without an answer, since a way that is cut says
    nothing. `prepared` False keeps statements unnamed: for pgbouncer before 1.21 in transaction
    mode.
    Without `sslmode` in the URL, TLS is required except on this machine. Raises Misconfigured
    when the server cannot be reached or refuses, or holds a database newer than this Booper.
    Leaving the block commits what waits first.
    """
    options: dict[str, Any] = {} if prepared else {"statement_cache_size": 0}
    options["command_timeout"] = silence
    async with open_bridge() as bridge:
        pool, migrated = await _connect(bridge, url, connections, options)
        database = PostgresDatabase(bridge, pool)
        database.migrated = migrated
        try:
            with ungrouped():
                async with trio.open_nursery() as nursery:
                    for _ in range(min(WRITERS, connections)):
                        nursery.start_soon(database.run)
                    try:
                        yield database
                    finally:
                        database.close()
        finally:
            pool.terminate()


async def _connect(
    bridge: Bridge, url: str, connections: int, options: dict[str, Any]
) -> tuple[asyncpg.Pool[asyncpg.Record], int]:
    """The pool, and how many migrations were applied now."""

    async def connect() -> tuple[asyncpg.Pool[asyncpg.Record], int]:
        pool = await asyncpg.create_pool(
            url,
            min_size=connections,
            max_size=connections,
            max_inactive_connection_lifetime=0,
            connection_class=_Connection,
            timeout=CONNECT,
            **options,
        )
        try:
            async with pool.acquire() as connection:
                return pool, await migrate_postgresql(connection)
        except BaseException:
            pool.terminate()
            raise

    with refusals():
        options["ssl"] = tls(url)
        return await bridge.call(connect)


async def look_postgresql(url: str) -> list[tuple[int, str]]:
    """The migrations that a database has had (number, checksum). Changes nothing. Misconfigured
    as for `open_postgresql`."""

    options: dict[str, Any] = {"ssl": tls(url)}

    async def look() -> list[tuple[int, str]]:
        connection = await asyncpg.connect(url, timeout=CONNECT, statement_cache_size=0, **options)
        try:
            async with connection.transaction(readonly=True):  # all of it on one server connection
                if await connection.fetchval("SELECT to_regclass('migrations') IS NULL"):
                    return []
                return [(number, checksum) for number, checksum in await connection.fetch(APPLIED)]
        finally:
            connection.terminate()

    with refusals():
        async with open_bridge() as bridge:
            return await bridge.call(look)


@contextmanager
def refusals() -> Iterator[None]:
    """A server that cannot be used is Misconfigured, in its own words."""
    try:
        yield
    except ValueError as error:  # asyncpg's word for a URL it cannot read
        raise Misconfigured(f"The database URL: {error}.", code="database_url") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        why = str(error) or type(error).__name__
        code = "database_unreachable" if outage(error) else "database_refused"
        raise Misconfigured(f"PostgreSQL cannot be used: {why}.", code=code) from error

"""The servers that tests run against: found by environment variable, else thrown up and away.

`BOOPER_TEST_POSTGRESQL` (a URL of a superuser) and `BOOPER_TEST_REDIS`. A test run keeps to
databases of its own. Where no server can be had, the tests that need one are skipped, loudly.
"""

from __future__ import annotations

import itertools
import os
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import trio

from booper.bench import throwaway
from booper.bench.throwaway import running, running_redis
from booper.bridge import open_bridge
from booper.store.postgresql import open_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["drop_databases", "empty_database", "fresh_database", "postgresql", "redis", "running"]
__all__ += ["running_redis"]
_count = itertools.count(1)
_templates: dict[str, str] = {}


@contextmanager
def postgresql() -> Iterator[str | None]:
    """The URL of a server's database `postgres`, as a superuser; None if there is no server.

    Nothing is left behind on a server that is not ours; one of our own is thrown away as it is,
    because dropping hundreds of databases would take a minute.
    """
    if url := os.environ.get("BOOPER_TEST_POSTGRESQL"):
        yield url
        with warnings.catch_warnings():
            trio.run(drop_databases, url)
    else:
        with throwaway.postgresql() as own:
            yield own


@contextmanager
def redis() -> Iterator[str | None]:
    """The URL of a Redis; None if there is none."""
    if url := os.environ.get("BOOPER_TEST_REDIS"):
        yield url
    else:
        with throwaway.redis() as own:
            yield own


async def fresh_database(url: str) -> str:
    """The URL of a new database on that server, migrated: a copy of a template made once."""
    own = f"booper_{next(_count)}_{os.getpid()}"
    async with open_bridge() as bridge:
        if url not in _templates:
            await bridge.call(_admin, url, f"CREATE DATABASE {own}_template")
            async with open_postgresql(_named(url, f"{own}_template"), connections=1):
                _templates[url] = f"{own}_template"
        await bridge.call(_admin, url, f"CREATE DATABASE {own} TEMPLATE {_templates[url]}")
    return _named(url, own)


async def empty_database(url: str) -> str:
    """The URL of a new database on that server, without a table."""
    own = f"booper_{next(_count)}_{os.getpid()}"
    async with open_bridge() as bridge:
        await bridge.call(_admin, url, f"CREATE DATABASE {own}")
    return _named(url, own)


async def drop_databases(url: str) -> None:
    """Leave nothing behind on a server that is not ours."""
    async with open_bridge() as bridge:
        mine = f"SELECT datname FROM pg_database WHERE datname LIKE 'booper%_{os.getpid()}%'"
        for (name,) in await bridge.call(_admin, url, mine):
            await bridge.call(_admin, url, f"DROP DATABASE {name} WITH (FORCE)")


def _named(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


async def _admin(url: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(url, ssl="disable")
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()

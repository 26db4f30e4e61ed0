"""A fresh database, open: every store test runs on both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from booper.store.postgresql import open_postgresql
from booper.store.sqlite import open_sqlite
from tests.booper import servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from booper.ports import Database
    from booper.store.postgresql_driver import PostgresDatabase
    from booper.store.sqlite_driver import SqliteDatabase


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which database."""
    if request.param == "postgresql":
        request.getfixturevalue("postgresql_server")
    return str(request.param)


@pytest.fixture
async def database(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Database]:
    if kind == "sqlite":
        async with open_sqlite(tmp_path / "b.sqlite3") as opened:
            yield opened
    else:
        url = await servers.fresh_database(request.getfixturevalue("postgresql_server"))
        async with open_postgresql(url, connections=3) as opened_too:
            yield opened_too


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    async with open_sqlite(tmp_path / "b.sqlite3") as opened:
        yield opened


@pytest.fixture
async def postgresql(postgresql_url: str) -> AsyncIterator[PostgresDatabase]:
    async with open_postgresql(postgresql_url, connections=3) as opened:
        yield opened

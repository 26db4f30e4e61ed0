"""A database in a fresh file, open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from booper.store.sqlite import open_sqlite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from booper.store.group_commit import SqliteDatabase


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    async with open_sqlite(tmp_path / "b.sqlite3") as opened:
        yield opened

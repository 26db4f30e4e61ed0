"""Copying a SQLite file into PostgreSQL: every row of every table, or nothing at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from booper.domain.errors import Misconfigured
from booper.store import channels, copying
from booper.store.postgresql import open_postgresql
from booper.store.sqlite import open_sqlite
from tests.booper.store.seeds import audience, claim, expand_all, rows, run_sql

if TYPE_CHECKING:
    from pathlib import Path

    from booper.ports import Tx
    from booper.store.copying import Table

pytestmark = pytest.mark.real


def ignore(*_: object) -> None:
    pass


def fill(path: Path, count: int) -> dict[str, list[tuple[object, ...]]]:
    """A few rows in every table, whatever its columns are; all of them by table."""
    with closing(sqlite3.connect(path)) as opened:
        found = copying.Source(opened)
        tables = found.tables()
        for table in tables:
            columns = opened.execute(f"PRAGMA table_info({table.name})").fetchall()
            for n in range(1, count + 1):
                values = [_value(kind, name, n) for _, name, kind, *_ in columns]
                marks = ", ".join("?" * len(values))
                opened.execute(f"INSERT INTO {table.name} VALUES ({marks})", values)
        opened.commit()
        return {one.name: _rows(opened, one) for one in tables}


def _rows(opened: sqlite3.Connection, table: Table) -> list[tuple[object, ...]]:
    sql = f"SELECT {', '.join(table.columns)} FROM {table.name}"
    return sorted(opened.execute(sql).fetchall(), key=repr)


def _value(kind: str, name: str, number: int) -> object:
    """Something that is its own row's, and points to the same row of other tables."""
    if kind == "INTEGER":
        return 0 if name == "preferred" else number * 10
    if kind == "REAL":
        return number + 0.25
    return (
        bytes([number])
        if kind == "BLOB"
        else f"ü{'' if name in ('key', 'instance') else name}{number}"
    )


async def test_every_row_of_every_table_arrives_as_it_was(
    tmp_path: Path, postgresql_url: str
) -> None:
    path, seen = tmp_path / "b.sqlite3", dict[str, int]()
    async with open_sqlite(path):
        pass
    wanted = fill(path, 3)
    assert len(wanted) >= 25, "tables are missing"

    def count(name: str, more: int) -> None:
        seen[name] = seen.get(name, 0) + more

    told: list[Table] = []
    found = await copying.copy(path, postgresql_url, told.extend, count)
    assert {one.name: one.rows for one in found} == dict.fromkeys(wanted, 3) == seen
    assert told == found
    async with open_postgresql(postgresql_url, connections=2) as database:
        for one in found:
            sql = f"SELECT {', '.join(one.columns)} FROM {one.name}"
            assert sorted(await rows(database, sql), key=repr) == wanted[one.name], one.name

        async def go_on(tx: Tx) -> int:
            return await channels.ensure(tx, "new", "new", 1.0)

        assert await database.write(go_on) == 31, "numbers go on where they were"
    with pytest.raises(Misconfigured) as caught:
        await copying.copy(path, postgresql_url, told.extend, count)
    assert caught.value.code == "target_not_empty"


async def test_nothing_is_copied_from_a_file_in_use_or_into_a_database_in_use(
    tmp_path: Path, postgresql_url: str
) -> None:
    path = tmp_path / "b.sqlite3"

    async def refused(code: str) -> None:
        with pytest.raises(Misconfigured) as caught:
            await copying.copy(path, postgresql_url, ignore, ignore)
        assert caught.value.code == code

    await refused("database_path")
    assert not path.exists()
    async with open_sqlite(path) as source:
        await audience(source, 5)
        await expand_all(source)
        await refused("database_in_use")
        assert await claim(source)
    async with open_postgresql(postgresql_url, connections=2) as target:
        beat = "INSERT INTO nodes (id, started_at, seen_at) VALUES ('somebody', 0, 0)"

        async def work(tx: Tx) -> None:
            await run_sql(tx, beat)

        await target.write(work)
        await refused("target_not_empty")
        assert await rows(target, "SELECT count(*) FROM devices") == [(0,)]


async def test_what_postgresql_cannot_keep_leaves_the_target_empty(
    tmp_path: Path, postgresql_url: str
) -> None:
    path = tmp_path / "b.sqlite3"
    async with open_sqlite(path) as source:
        await audience(source, 5)

        async def spoil(tx: Tx) -> None:
            await run_sql(tx, "UPDATE notifications SET tenant = ?", "a\0b")

        await source.write(spoil)
    with pytest.raises(Misconfigured) as caught:
        await copying.copy(path, postgresql_url, ignore, ignore)
    assert caught.value.code == "copy_failed"
    assert "notifications" in caught.value.detail
    async with open_postgresql(postgresql_url, connections=2) as target:
        assert await rows(target, "SELECT count(*) FROM devices") == [(0,)]

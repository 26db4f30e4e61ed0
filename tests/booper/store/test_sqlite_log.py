"""SQLite's log is moved into the file beside the commits, and does not grow for ever."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import trio

from booper.ports import Sql
from booper.store import sqlite_log
from booper.store.sqlite import open_sqlite
from tests.booper.store.seeds import rows

if TYPE_CHECKING:
    from pathlib import Path

    from booper.ports import Tx

_PUT = Sql("INSERT INTO channels (id, name, created_at) VALUES (?, ?, 1.0)")
MANY = 400  # rows of one commit


async def put(tx: Tx, begin: int) -> None:
    names = [f"{number:08} {'x' * 200}" for number in range(begin, begin + MANY)]
    await tx.execute_many(_PUT, [(name, name) for name in names])


def in_the_file(path: Path, folder: Path) -> int:
    """How many rows are there without the log; none while it is being moved."""
    copy = folder / "copy.sqlite3"
    copy.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(f"file:{copy}?immutable=1", uri=True)) as opened:
        try:
            ((count,),) = opened.execute("SELECT count(*) FROM channels").fetchall()
        except sqlite3.DatabaseError:
            return 0
    return int(count)


@pytest.mark.parametrize("weight", [1, 64])
async def test_what_was_committed_gets_into_the_file_while_it_is_open(
    tmp_path: Path, weight: int
) -> None:
    path = tmp_path / "b.sqlite3"
    async with open_sqlite(path, slow=False) as database:
        await database.write(put, 0, weight=weight)
        with trio.fail_after(30):
            while in_the_file(path, tmp_path) < MANY:
                await trio.sleep(sqlite_log.PAUSE)
        await database.write(put, MANY, weight=weight)
        with trio.fail_after(30):
            while in_the_file(path, tmp_path) < 2 * MANY:
                await trio.sleep(sqlite_log.PAUSE)


async def test_a_log_that_has_become_long_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although somebody writes all the time, so that no checkpoint catches up by itself."""
    monkeypatch.setattr(sqlite_log, "LONG", 200)
    path = tmp_path / "b.sqlite3"
    async with open_sqlite(path, slow=False) as database:
        begin, begun = 0, b""
        with trio.fail_after(60):
            for _ in range(3):
                while (salt := _salt(path)) == begun:
                    await database.write(put, begin, weight=64)
                    begin += MANY
                begun = salt
        assert await rows(database, "SELECT count(*) FROM channels") == [(begin,)]
    assert in_the_file(path, tmp_path) == begin


def _salt(path: Path) -> bytes:
    """Another one whenever the log begins anew (sqlite.org, "WAL-mode File Format")."""
    with path.with_name(path.name + "-wal").open("rb") as log:
        return log.read(24)[16:]


async def test_whoever_holds_it_up_is_waited_for(tmp_path: Path) -> None:
    """A reader in another program: the checkpoint goes as far as it can, and nobody fails."""
    path = tmp_path / "b.sqlite3"
    async with open_sqlite(path, slow=False) as database:
        await database.write(put, 0)
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM channels").fetchone() == (MANY,)
            await database.write(put, MANY)
            await trio.sleep(3 * sqlite_log.PAUSE)
            assert reader.execute("SELECT count(*) FROM channels").fetchone() == (MANY,)
            reader.execute("COMMIT")
        await database.write(put, 2 * MANY)
        with trio.fail_after(30):
            while in_the_file(path, tmp_path) < 3 * MANY:
                await trio.sleep(sqlite_log.PAUSE)

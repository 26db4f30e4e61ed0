"""When the disk says no: Unavailable, nothing half-written, and well again without a restart."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
import trio

from booper.domain.errors import Unavailable
from booper.store.sqlite import open_sqlite
from tests.booper.store.seeds import notify, progress, rows, run_sql

if TYPE_CHECKING:
    from pathlib import Path

    from booper.ports import Tx
    from booper.store.sqlite_driver import SqliteDatabase

pytestmark = pytest.mark.real
BIG = "x" * 20_000


@pytest.fixture
async def database(sqlite: SqliteDatabase) -> SqliteDatabase:
    """These promises are SQLite's own."""
    return sqlite


async def big(tx: Tx, name: str) -> None:
    """A channel and a notification of five pages: two rows or none."""
    await notify(tx, name, name)
    await run_sql(tx, "UPDATE notifications SET content = ? WHERE id = ?", BIG, name)


async def counted(database: SqliteDatabase) -> list[tuple[int, ...]]:
    sql = "SELECT (SELECT count(*) FROM channels), (SELECT count(*) FROM notifications),"
    return await rows(database, sql + " (SELECT count(*) FROM fanouts)")


async def refused(database: SqliteDatabase, name: str) -> None:
    with pytest.raises(Unavailable) as caught:
        await database.write(big, name)
    assert caught.value.code == "store_unavailable"
    assert caught.value.retry_after > 0


@pytest.mark.parametrize("slow", [False, True], ids=["fast disk", "slow disk"])
async def test_a_full_disk_refuses_writes_until_there_is_room(tmp_path: Path, slow: bool) -> None:
    async with open_sqlite(tmp_path / "b.sqlite3", slow=slow) as database:
        await database.write(notify, "before")
        (pages,) = database._writer.execute("PRAGMA page_count").fetchone()
        database._writer.execute(f"PRAGMA max_page_count={pages + 1}")
        for number in range(3):
            await refused(database, f"full-{number}")
        assert await counted(database) == [(1, 1, 1)], "half of a refused write stayed"
        assert (await progress(database, "before")).state == "queued", "reads go on"
        database._writer.execute("PRAGMA max_page_count=1000000")
        await database.write(big, "after")
        assert await counted(database) == [(2, 2, 2)]
        assert await rows(database, "PRAGMA integrity_check") == [("ok",)]


async def test_on_a_full_disk_small_works_in_the_same_commit_get_an_answer_too(
    tmp_path: Path,
) -> None:
    async with open_sqlite(tmp_path / "b.sqlite3", slow=False) as database:
        (pages,) = database._writer.execute("PRAGMA page_count").fetchone()
        database._writer.execute(f"PRAGMA max_page_count={pages + 1}")
        kept, lost = [], []

        async def one(name: str) -> None:
            try:
                await database.write(big if name.startswith("big") else notify, name)
            except Unavailable:
                lost.append(name)
            else:
                kept.append(name)

        async with trio.open_nursery() as nursery:
            for name in ("a", "big1", "b", "big2", "c"):
                nursery.start_soon(one, name)
        written = {row[0] for row in await rows(database, "SELECT id FROM notifications")}
        assert written == set(kept), "an answer and the rows disagree"
        assert {"big1", "big2"} <= set(lost)
        assert len(kept) + len(lost) == 5


async def test_a_disk_that_turns_read_only_refuses_writes_until_it_is_writable(
    database: SqliteDatabase,
) -> None:
    database._writer.execute("PRAGMA query_only=ON")
    await refused(database, "n1")
    assert await counted(database) == [(0, 0, 0)]
    database._writer.execute("PRAGMA query_only=OFF")
    await database.write(big, "n1")
    assert await counted(database) == [(1, 1, 1)]


async def test_a_lock_held_too_long_by_another_program_is_an_outage_that_ends(
    tmp_path: Path,
) -> None:
    file = tmp_path / "b.sqlite3"
    async with open_sqlite(file, patience=0.1) as database:
        other = sqlite3.connect(file, isolation_level=None)
        try:
            other.execute("BEGIN EXCLUSIVE")
            await refused(database, "n1")
            assert await counted(database) == [(0, 0, 0)], "reads go on"
            other.execute("ROLLBACK")
            await database.write(big, "n1")
        finally:
            other.close()


async def test_a_short_lock_is_waited_for_while_others_work(tmp_path: Path) -> None:
    file = tmp_path / "b.sqlite3"
    async with open_sqlite(file, patience=30.0) as database:
        other = sqlite3.connect(file, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(database.write, big, "n1")
                for _ in range(50):  # a writer that waited in line would never let us get here
                    await trio.lowlevel.checkpoint()
                    await counted(database)
                assert await counted(database) == [(0, 0, 0)]
                other.execute("COMMIT")
        finally:
            other.close()
        assert await counted(database) == [(1, 1, 1)]


async def test_a_wrong_statement_is_no_outage(database: SqliteDatabase) -> None:
    for use in (database.write, database.read):
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            await use(run_sql, "DELETE FROM nowhere")
    await database.write(big, "n1")


class Broken(BaseException):
    """What no work may raise: it ends the writer."""


async def test_if_the_writer_itself_ends_everybody_gets_an_answer(tmp_path: Path) -> None:
    answers: list[str] = []

    async def one(database: SqliteDatabase, number: int) -> None:
        async def work(tx: Tx) -> None:
            if number == 300:
                raise Broken
            await notify(tx, f"n{number}")

        try:
            await database.write(work)
            answers.append("written")
        except Unavailable as error:
            answers.append(error.code)

    async def use() -> None:
        async with open_sqlite(tmp_path / "b.sqlite3", slow=False) as database:
            await one(database, 0)
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as nursery:
                    for number in range(1, 600):
                        nursery.start_soon(one, database, number)

    with pytest.raises(BaseExceptionGroup) as caught:
        await use()
    assert caught.value.split(Broken)[1] is None, "something else went wrong too"
    assert len(answers) == 600
    assert set(answers) == {"written", "store_closed"}
    async with open_sqlite(tmp_path / "b.sqlite3") as database:
        assert len(await rows(database, "SELECT 1 FROM notifications")) == answers.count("written")

"""The Database port on SQLite: group commit, each caller its own fate, committed reads."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from booper.domain.errors import Misconfigured, NotFound, Unavailable
from booper.store.sqlite import open_sqlite
from tests.booper.store.seeds import rows, run_sql

if TYPE_CHECKING:
    from booper.ports import Tx
    from booper.store.sqlite_driver import SqliteDatabase

INSERT = "INSERT INTO channels (id, name, created_at) VALUES (?1, ?1, 0)"
NAMES = "SELECT name FROM channels ORDER BY number"


@pytest.fixture
async def database(sqlite: SqliteDatabase) -> SqliteDatabase:
    """These promises are SQLite's own."""
    return sqlite


async def add(tx: Tx, name: str) -> str:
    await run_sql(tx, INSERT, name)
    return name


async def add_and_fail(tx: Tx, name: str) -> None:
    await add(tx, name)
    raise NotFound(name)


async def add_twice(tx: Tx, name: str) -> None:
    await add(tx, name)
    await add(tx, name)


async def names(database: SqliteDatabase) -> list[str]:
    return [row[0] for row in await rows(database, NAMES)]


@pytest.fixture(params=[False, True], ids=["fast disk", "slow disk"])
async def slow(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def test_what_is_promised_of_durability_is_true_of_the_connections(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    for connection in (database._writer, database._reader):
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,), "2 is FULL"
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert not (tmp_path / "b.sqlite3.probe").exists()


async def test_a_hundred_writes_share_few_commits(tmp_path: Path, slow: bool) -> None:
    async with open_sqlite(tmp_path / "b.sqlite3", slow=slow) as database:
        answers: list[str] = []

        async def one(name: str) -> None:
            answers.append(await database.write(add, name))

        before = database.commits
        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(one, f"c{number:02}")
        assert sorted(answers) == sorted(await names(database))
        assert len(answers) == 100
        assert database.commits - before <= 10


async def test_one_that_fails_is_undone_alone_and_its_error_is_its_own(
    tmp_path: Path, slow: bool
) -> None:
    async with open_sqlite(tmp_path / "b.sqlite3", slow=slow) as database:
        errors: dict[str, Exception] = {}

        async def one(name: str) -> None:
            work = {"f": add_and_fail, "t": add_twice}.get(name[0], add)
            try:
                await database.write(work, name)
            except (NotFound, sqlite3.IntegrityError) as error:
                errors[name] = error

        before = database.commits
        async with trio.open_nursery() as nursery:
            for name in ("a", "f1", "b", "t1", "c", "f2"):
                nursery.start_soon(one, name)
        assert sorted(await names(database)) == ["a", "b", "c"]
        assert {name: type(error) for name, error in errors.items()} == {
            "f1": NotFound,
            "f2": NotFound,
            "t1": sqlite3.IntegrityError,
        }
        assert str(errors["f1"]) == "f1"
        assert database.commits - before < 6, "they did not share a commit: the test shows nothing"


async def test_a_cancelled_writer_is_seen_through(tmp_path: Path, slow: bool) -> None:
    async with open_sqlite(tmp_path / "b.sqlite3", slow=slow) as database:
        returned: list[str] = []

        async def one(name: str, scope: trio.CancelScope) -> None:
            with scope:
                returned.append(await database.write(add, name))
                await trio.lowlevel.checkpoint()
                returned.append("went on")

        early, late = trio.CancelScope(), trio.CancelScope()
        early.cancel()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "never begun", early)
            nursery.start_soon(one, "begun", late)
            while not database._waiting and not database.commits and not returned:
                await trio.lowlevel.checkpoint()
            late.cancel()
        assert await names(database) == ["begun"]
        assert returned == ["begun"]


async def test_readers_see_committed_rows_only(database: SqliteDatabase) -> None:
    seen: list[list[str]] = []

    async def look_in_the_middle(tx: Tx) -> None:
        await add(tx, "new")
        seen.append(await names(database))  # through the reader, as another task would

    await database.write(look_in_the_middle)
    seen.append(await names(database))
    assert seen == [[], ["new"]]


async def test_a_reader_that_fails_leaves_the_reader_usable(database: SqliteDatabase) -> None:
    async def wrong(tx: Tx) -> None:
        raise NotFound("nothing")

    for _ in range(2):
        with pytest.raises(NotFound):
            await database.read(wrong)
    assert await names(database) == []


async def test_what_waits_is_committed_before_the_file_is_closed(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "b.sqlite3") as database, trio.open_nursery() as nursery:
        for name in ("a", "b"):
            nursery.start_soon(database.write, add, name)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    with pytest.raises(Unavailable) as caught:
        await database.write(add, "c")
    assert caught.value.code == "store_closed"
    async with open_sqlite(tmp_path / "b.sqlite3") as database:
        assert sorted(await names(database)) == ["a", "b"]


async def test_one_process_at_a_time_holds_the_file(tmp_path: Path) -> None:
    file = tmp_path / "b.sqlite3"
    async with open_sqlite(file) as database:
        with pytest.raises(Misconfigured) as caught:
            async with open_sqlite(file):
                pass
        assert caught.value.code == "database_in_use"
        await database.write(add, "still works")
    async with open_sqlite(file) as database:
        assert await names(database) == ["still works"]


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (lambda path: path.write_bytes(b"This is a letter, not a database. " * 200), "file"),
        (lambda path: path.mkdir(), "file"),
        (lambda path: sqlite3.connect(path).execute("CREATE TABLE devices (x)"), "file"),
        (lambda path: sqlite3.connect(path).execute("CREATE TABLE migrations (x)"), "file"),
        (lambda path: path.with_name(path.name + ".lock").mkdir(), "path"),
        (lambda path: path.with_name(path.name + ".probe").mkdir(), "path"),
    ],
    ids=["text", "folder", "other tables", "other journal", "no lock", "no probe"],
)
async def test_a_file_that_cannot_be_used_is_a_misconfiguration(
    tmp_path: Path, prepare: object, code: str
) -> None:
    path = tmp_path / "b.sqlite3"
    prepare(path)  # type: ignore[operator]
    with pytest.raises(Misconfigured) as caught:
        async with open_sqlite(path):
            pass
    assert caught.value.code == f"database_{code}"
    assert str(path) in caught.value.detail


async def test_a_missing_folder_is_a_misconfiguration(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        async with open_sqlite(tmp_path / "missing" / "b.sqlite3"):
            pass
    assert caught.value.code == "database_path"


async def test_a_place_without_a_write_ahead_log_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the name means "in memory" only without a folder
    with pytest.raises(Misconfigured) as caught:
        async with open_sqlite(Path(":memory:")):
            pass
    assert caught.value.code == "database_not_durable"

"""The Database port on PostgreSQL: group commit, clashes, outages, other people's migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest
import trio
import trio.testing

from booper.domain.errors import Misconfigured, NotFound, Unavailable
from booper.store.postgresql import open_postgresql
from tests.booper import servers
from tests.booper.store.seeds import notify, rows, run_sql

if TYPE_CHECKING:
    from booper.ports import Tx
    from booper.store.postgresql_driver import PostgresDatabase

pytestmark = pytest.mark.real
INSERT = "INSERT INTO channels (id, name, created_at) VALUES (?1, ?1, 0)"


async def add(tx: Tx, name: str) -> str:
    await run_sql(tx, INSERT, name)
    return name


async def add_and_fail(tx: Tx, name: str) -> None:
    await add(tx, name)
    raise NotFound(name)


async def add_twice(tx: Tx, name: str) -> None:
    await add(tx, name)
    await add(tx, name)


async def count_up(tx: Tx, first: str, second: str) -> None:
    """Two rows changed in the caller's order: two callers in opposite order deadlock."""
    for name in (first, second):
        sql = "UPDATE channels SET created_at = created_at + 1 WHERE name = ?"
        await run_sql(tx, sql, name)


async def names(database: PostgresDatabase) -> list[str]:
    return [row[0] for row in await rows(database, "SELECT name FROM channels ORDER BY name")]


async def test_a_hundred_writes_share_few_commits(postgresql: PostgresDatabase) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(postgresql.write, add, f"c{number:02}")
    assert len(await names(postgresql)) == 100
    assert postgresql.commits <= 20


async def test_one_that_fails_is_undone_alone_and_its_error_is_its_own(
    postgresql: PostgresDatabase,
) -> None:
    errors: dict[str, type[Exception]] = {}

    async def one(name: str) -> None:
        work = {"f": add_and_fail, "t": add_twice}.get(name[0], add)
        try:
            await postgresql.write(work, name)
        except (NotFound, asyncpg.UniqueViolationError) as error:
            errors[name] = type(error)

    async with trio.open_nursery() as nursery:
        for name in ("a", "f1", "b", "t1", "c", "f2"):
            nursery.start_soon(one, name)
    assert await names(postgresql) == ["a", "b", "c"]
    unique = asyncpg.UniqueViolationError
    assert errors == {"f1": NotFound, "f2": NotFound, "t1": unique}


async def test_works_that_clash_are_run_again_until_all_are_done(
    postgresql: PostgresDatabase,
) -> None:
    for name in ("x", "y"):
        await postgresql.write(add, name)
    async with trio.open_nursery() as nursery:
        for number in range(60):
            pair = ("x", "y") if number % 2 else ("y", "x")
            nursery.start_soon(postgresql.write, count_up, *pair)
    assert await rows(postgresql, "SELECT DISTINCT created_at FROM channels") == [(60.0,)]


async def test_a_cancelled_writer_is_seen_through(postgresql: PostgresDatabase) -> None:
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(postgresql.write, add, "begun")
            nursery.start_soon(postgresql.write, add, "begun too")
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    assert await names(postgresql) == ["begun", "begun too"]


async def test_a_cancelled_reader_leaves_its_connection_usable(
    postgresql: PostgresDatabase,
) -> None:
    for _ in range(4):  # more than there are connections
        with trio.move_on_after(0.01):
            await rows(postgresql, "SELECT pg_sleep(3600)::text")
    assert await rows(postgresql, "SELECT 1") == [(1,)]


async def test_a_wrong_statement_is_no_outage(postgresql: PostgresDatabase) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        await rows(postgresql, "SELECT * FROM nothing_like_it")
    with pytest.raises((asyncpg.DataError, asyncpg.InterfaceError)) as caught:
        await rows(postgresql, "SELECT ?::bigint", "not a number")
    assert not isinstance(caught.value, Unavailable)


async def test_reads_cannot_write(postgresql: PostgresDatabase) -> None:
    with pytest.raises(Unavailable):
        await postgresql.read(add, "no")
    assert await names(postgresql) == []


async def test_an_outage_is_named_and_ends_with_the_server_s_return() -> None:
    with servers.postgresql() as url:
        if url is None or (server := servers.running()) is None:
            pytest.skip("NOT RUN: no PostgreSQL programs to start and stop a server with")
        async with open_postgresql(await servers.fresh_database(url), connections=2) as database:
            await database.write(notify, "before")
            server.stop()
            for _ in range(2):
                with pytest.raises(Unavailable) as caught:
                    await database.write(notify, "during")
                assert caught.value.code == "store_unavailable"
                with pytest.raises(Unavailable):
                    await rows(database, "SELECT 1")
            server.start()
            with trio.fail_after(20):
                while True:
                    try:
                        await database.write(notify, "after")
                        break
                    except Unavailable:
                        await trio.sleep(0.05)
            kept = await rows(database, "SELECT id FROM notifications ORDER BY number")
            assert kept == [("before",), ("after",)]


async def test_it_works_without_named_statements(postgresql_url: str) -> None:
    async with open_postgresql(postgresql_url, connections=2, prepared=False) as database:
        await database.write(notify, "n1")
        assert await rows(database, "SELECT name FROM pg_prepared_statements") == []


async def test_many_processes_may_migrate_at_once(postgresql_server: str) -> None:
    url = await servers.empty_database(postgresql_server)
    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(_open_and_write, url, number)
    async with open_postgresql(url, connections=2) as database:
        assert await rows(database, "SELECT count(*) FROM notifications") == [(5,)]


async def _open_and_write(url: str, number: int) -> None:
    async with open_postgresql(url, connections=2) as database:
        await database.write(notify, f"n{number}")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("INSERT INTO migrations (number, name, checksum) VALUES (9999, 'x', 'y')", "newer"),
        ("UPDATE migrations SET checksum = 'edited' WHERE number = 1", "migration_changed"),
    ],
)
async def test_a_database_that_is_not_ours_to_use_is_refused(
    postgresql: PostgresDatabase, postgresql_url: str, change: str, code: str
) -> None:
    async def work(tx: Tx) -> None:
        await run_sql(tx, change)

    await postgresql.write(work)
    with pytest.raises(Misconfigured) as caught:
        async with open_postgresql(postgresql_url):
            pass
    assert code in caught.value.code


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres:secret-canary@127.0.0.1:1/none",
        "postgresql://[broken/none",
        "postgresql://postgres:secret-canary@127.0.0.1:notaport/none",
    ],
)
async def test_a_server_that_is_not_there_is_a_misconfiguration_that_keeps_the_password(
    url: str,
) -> None:
    with pytest.raises(Misconfigured) as caught:
        async with open_postgresql(url):
            pass
    assert caught.value.code in ("database_unreachable", "database_url")
    assert "secret-canary" not in str(caught.value)

"""Copying an installation from its SQLite file into an empty PostgreSQL database: all or nothing.

The file is held all the while, so nobody serves it; the target is filled in one transaction, so an
interruption leaves it empty. Ids and row numbers stay as they are; what is sealed stays sealed.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
import trio

from booper.bridge import open_bridge, ungrouped
from booper.domain.errors import Misconfigured
from booper.store.postgresql import CONNECT, open_postgresql, refusals
from booper.store.postgresql_url import tls
from booper.store.sqlite import open_sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from booper.bridge import Bridge

    Connection = asyncpg.Connection[asyncpg.Record]
    Seen = Callable[[str, int], None]

PAGE = 2000  # rows
OWN = frozenset({"migrations", "nodes", "node_generations"})  # of one database and its processes
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
_COLUMNS = (
    "SELECT column_name FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND table_name = $1"
)
_SEQUENCES = (
    "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND is_identity = 'YES' ORDER BY 1"
)


class Table(NamedTuple):
    """A table of the file: its columns, and how many rows it has."""

    name: str
    columns: tuple[str, ...]
    rows: int


class Source:
    """The file, read in one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("BEGIN")

    def tables(self) -> list[Table]:
        """Every table, those that others point to first."""
        names = self._fetch("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")
        own = {name for (name,) in names if not name.startswith("sqlite_")} - OWN
        order: TopologicalSorter[str] = TopologicalSorter()
        for name in sorted(own):
            pointed = {row[2] for row in self._fetch(f"PRAGMA foreign_key_list({name})")}
            order.add(name, *sorted(pointed & own - {name}))
        return [self._table(name) for name in order.static_order()]

    def pages(self, table: Table) -> Iterator[list[tuple[object, ...]]]:
        """Its rows, a page at a time, in the order of its primary key."""
        cursor = self._connection.execute(
            f"SELECT {', '.join(table.columns)} FROM {table.name}"  # noqa: S608 - our own names
        )
        while page := cursor.fetchmany(PAGE):
            yield page

    def _table(self, name: str) -> Table:
        columns = tuple(row[1] for row in self._fetch(f"PRAGMA table_info({name})"))
        ((rows,),) = self._fetch(f"SELECT count(*) FROM {name}")  # noqa: S608 - our own names
        return Table(name, columns, rows)

    def _fetch(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()


async def copy(
    path: Path, url: str, begun: Callable[[list[Table]], None], seen: Seen
) -> list[Table]:
    """Copy all of the file into the database; the tables, with their rows counted there.

    `begun` is told what there is; `seen` a table and how many more of its rows have gone. Raises
    Misconfigured, with the target as it was: `database_in_use` (somebody serves the file),
    `database_path` (there is none), `target_not_empty`, `tables_differ`, `copy_failed`, and as
    for the two databases. The file is brought up to date first, as `booper serve` would.
    """
    file = _file(path)
    with ungrouped():
        async with open_sqlite(path):
            return await _copy(file, url, begun, seen)


async def _copy(
    file: str, url: str, begun: Callable[[list[Table]], None], seen: Seen
) -> list[Table]:
    async with open_postgresql(url, connections=2, prepared=False):
        pass  # migrated
    with closing(sqlite3.connect(file, uri=True, isolation_level=None)) as opened, refusals():
        async with open_bridge() as bridge:
            target = await bridge.call(_connect, url)
            try:
                return await _fill(bridge, target, Source(opened), begun, seen)
            finally:
                target.terminate()


def _file(path: Path) -> str:
    """How SQLite is told to read it only."""
    if not path.exists():
        raise Misconfigured(f"There is no {path}.", code="database_path")
    return f"{path.absolute().as_uri()}?mode=ro"


async def _fill(
    bridge: Bridge,
    target: Connection,
    source: Source,
    begun: Callable[[list[Table]], None],
    seen: Seen,
) -> list[Table]:
    async def run(sql: str) -> None:
        await bridge.call(target.execute, sql)

    tables = source.tables()
    await run("BEGIN")
    await bridge.call(_prepare, target, tables)
    begun(tables)
    for table in tables:
        for page in source.pages(table):
            await bridge.call(_put, target, table, page)
            seen(table.name, len(page))
            await trio.lowlevel.checkpoint()
    found = await bridge.call(_finish, target, tables)
    await run("COMMIT")
    await run("ANALYZE")
    return found


async def _connect(url: str) -> Connection:
    options: dict[str, Any] = {"ssl": tls(url)}
    return await asyncpg.connect(url, timeout=CONNECT, statement_cache_size=0, **options)


async def _prepare(target: Connection, tables: list[Table]) -> None:
    """See that the target fits and is empty, and keep everybody else out until the end."""
    there = [name for (name,) in await target.fetch(_TABLES)]
    try:
        await target.execute(f"LOCK TABLE {', '.join(there)} IN ACCESS EXCLUSIVE MODE NOWAIT")
    except asyncpg.LockNotAvailableError:
        raise Misconfigured("The target is in use.", code="target_not_empty") from None
    for name in there:
        if name != "migrations" and await target.fetchval(f"SELECT 1 FROM {name} LIMIT 1"):  # noqa: S608
            raise Misconfigured(f"The target is not empty: it has {name}.", code="target_not_empty")
    for table in tables:
        columns = {name for (name,) in await target.fetch(_COLUMNS, table.name)}
        if not set(table.columns) <= columns:
            raise Misconfigured(
                f"The target's {table.name} is another table.", code="tables_differ"
            )


async def _put(target: Connection, table: Table, page: list[tuple[object, ...]]) -> None:
    try:
        await target.copy_records_to_table(table.name, records=page, columns=table.columns)
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        why = str(error).splitlines()[0]
        raise Misconfigured(
            f"Some of {table.name} cannot be kept by PostgreSQL: {why}.", code="copy_failed"
        ) from error


async def _finish(target: Connection, tables: list[Table]) -> list[Table]:
    """Numbers go on where they were; and every row is there."""
    for name, column in await target.fetch(_SEQUENCES):
        await target.execute(
            f"SELECT setval(pg_get_serial_sequence('{name}', '{column}'),"  # noqa: S608
            f" greatest(max({column}), 1), max({column}) IS NOT NULL) FROM {name}"
        )
    found = []
    for table in tables:
        rows = await target.fetchval(f"SELECT count(*) FROM {table.name}")  # noqa: S608
        if rows != table.rows:
            raise Misconfigured(
                f"{table.rows} rows of {table.name} became {rows}.", code="copy_failed"
            )
        found.append(table._replace(rows=rows))
    return found

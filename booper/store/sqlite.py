"""SQLite behind the Database port: one writer with group commit, one reader, both in line.

Whatever waits when the last commit ends goes into the next one, so a hundred callers cost one
flush. `synchronous=FULL`: what was acknowledged survives a power cut. On a slow disk the commit
alone runs in a thread; on a fast one a thread would only fight the trio thread for the GIL.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import outcome
import trio

from booper.domain.errors import Misconfigured, Unavailable
from booper.store.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from booper.ports import Row, Sql

T = TypeVar("T")
SLOW_FLUSH = 0.002  # seconds; beyond it a commit in line would stall every other task too long
LIMIT = 256  # works in one commit


class SqliteTx:
    """A transaction on one connection; it never waits, so nothing runs between its statements."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def fetch(self, sql: Sql, *params: object) -> list[Row]:
        return self._connection.execute(sql.sqlite, params).fetchall()

    async def execute(self, sql: Sql, *params: object) -> int:
        return self._connection.execute(sql.sqlite, params).rowcount

    async def execute_many(self, sql: Sql, rows: Sequence[Sequence[object]]) -> None:
        self._connection.executemany(sql.sqlite, rows)


class SqliteDatabase:
    """The Database port on one file. Open it with `open_sqlite`."""

    def __init__(self, writer: sqlite3.Connection, reader: sqlite3.Connection, slow: bool) -> None:  # noqa: FBT001
        self._writer = writer
        self._reader = reader
        self._slow = slow
        self._waiting: deque[tuple[Callable[..., Awaitable[Any]], tuple[Any, ...], Any]] = deque()
        self._parked: trio.lowlevel.Task | None = None
        self._closing = False
        self.commits = 0

    async def read(self, work: Callable[..., Awaitable[T]], *args: Any) -> T:
        await trio.lowlevel.checkpoint()
        connection = self._reader
        try:
            connection.execute("BEGIN")
            try:
                return await work(SqliteTx(connection), *args)
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            raise _unavailable(error) from error

    async def write(self, work: Callable[..., Awaitable[T]], *args: Any) -> T:
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._closing:
            raise Unavailable("The store is closing.", code="store_closed")
        self._waiting.append((work, args, trio.lowlevel.current_task()))
        if self._parked is not None:
            task, self._parked = self._parked, None
            trio.lowlevel.reschedule(task)
        result: T = await trio.lowlevel.wait_task_rescheduled(_see_it_through)
        return result

    async def run(self) -> None:
        """Commit what waits, until `close`; shielded, because callers wait for it."""
        with trio.CancelScope(shield=True):
            while self._waiting or not self._closing:
                if not self._waiting:
                    self._parked = trio.lowlevel.current_task()
                    await trio.lowlevel.wait_task_rescheduled(_see_it_through)
                    continue
                await self._commit_waiting()
                await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Refuse new writes; what waits is still committed."""
        self._closing = True
        if self._parked is not None:
            task, self._parked = self._parked, None
            trio.lowlevel.reschedule(task)

    async def _commit_waiting(self) -> None:
        """One transaction: every waiting work in a savepoint of its own, one flush for all."""
        works = [self._waiting.popleft() for _ in range(min(LIMIT, len(self._waiting)))]
        results: list[outcome.Outcome[Any]] = []
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for work, args, _ in works:
                results.append(await self._one(work, args))
            if self._slow:
                await trio.to_thread.run_sync(self._writer.commit)
            else:
                self._writer.commit()
            self.commits += 1
        except sqlite3.Error as error:
            if self._writer.in_transaction:
                self._writer.rollback()
            failed = outcome.Error(_unavailable(error))
            results = [failed for _ in works]
        for (_, _, task), result in zip(works, results, strict=True):
            trio.lowlevel.reschedule(task, result)

    async def _one(
        self, work: Callable[..., Awaitable[Any]], args: tuple[Any, ...]
    ) -> outcome.Outcome[Any]:
        self._writer.execute("SAVEPOINT work")
        try:
            result = outcome.Value(await work(SqliteTx(self._writer), *args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked, not to the commit
            self._writer.execute("ROLLBACK TO work")
            if isinstance(error, sqlite3.OperationalError):
                return outcome.Error(_unavailable(error))
            return outcome.Error(error)
        finally:
            self._writer.execute("RELEASE work")
        return result


def _see_it_through(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED


def _unavailable(error: sqlite3.Error) -> Unavailable:
    return Unavailable(f"The store cannot be used now ({error}).", code="store_unavailable")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=5000",
        "cache_size=-16000",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _flush_seconds(path: Path) -> float:
    """How long this disk takes to make a page durable: the median of five."""
    probe = path.with_name(path.name + ".probe")
    times = []
    with probe.open("wb") as file:
        for _ in range(5):
            file.write(b"\0" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begun)
    probe.unlink()
    return sorted(times)[2]


@asynccontextmanager
async def open_sqlite(path: Path) -> AsyncIterator[SqliteDatabase]:
    """The database in `path`, made or migrated as needed; one process at a time may hold it.

    Raises Misconfigured when the folder is missing, the file is not a Booper database, is newer
    than this Booper, or is held by another process. Leaving the block commits what waits first.
    """
    try:
        lock = path.with_name(path.name + ".lock").open("wb")
    except OSError as error:
        raise Misconfigured(
            f"The database {path} cannot be opened: {error.strerror}.", code="database_path"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured(
                f"Another Booper uses {path}. SQLite serves one process; PostgreSQL many.",
                code="database_in_use",
            ) from None
        try:
            writer, reader = _connect(path), _connect(path)
            migrate(writer)
        except sqlite3.DatabaseError as error:
            raise Misconfigured(
                f"{path} cannot be used as a database: {error}.", code="database_file"
            ) from error
        try:
            database = SqliteDatabase(writer, reader, _flush_seconds(path) > SLOW_FLUSH)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(database.run)
                try:
                    yield database
                finally:
                    database.close()
        finally:
            reader.close()
            writer.close()

"""SQLite behind the Database port: one writer with group commit, one reader, both in line.

`synchronous=FULL`: what was acknowledged survives a power cut. Where the disk is slow the commit
alone runs in a thread; else it is done sooner than a thread could be told of it.

A disk that is full or read-only, or a lock that somebody else holds for too long, is Unavailable
for as long as it lasts: nothing of the failed commit stays, and the next one begins afresh.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, TypeVar

import outcome
import trio
from msgspec.structs import astuple

from booper.domain.errors import Unavailable
from booper.store.group_commit import GroupCommit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from msgspec import Struct

    from booper.domain.hint import Hint
    from booper.ports import Row, Sql
    from booper.store.group_commit import Work
    from booper.store.sqlite_log import WriteAheadLog

T = TypeVar("T")
PATIENCE = 5.0  # seconds to wait for a lock that another program holds (a backup, a shell)
PAUSE = 0.02  # seconds between two looks at it; the wait is trio's, so everybody else goes on

_OUTAGES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)


class SqliteTx:
    """A transaction on one connection; it never waits, so nothing runs between its statements."""

    __slots__ = ("_connection",)
    near = True

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def fetch(self, sql: Sql, *params: object) -> list[Row]:
        return self._connection.execute(sql.sqlite, params).fetchall()

    async def columns(self, count: int, sql: Sql, *params: object) -> list[Sequence[Any]]:
        return list(zip(*await self.fetch(sql, *params), strict=True)) or [()] * count

    async def execute(self, sql: Sql, *params: object) -> int:
        return self._connection.execute(sql.sqlite, params).rowcount

    async def execute_many(self, sql: Sql, rows: Sequence[Sequence[object]]) -> None:
        self._connection.executemany(sql.sqlite, rows)

    async def insert_many(self, sql: Sql, rows: Sequence[Struct]) -> None:
        self._connection.executemany(sql.sqlite, map(astuple, rows))

    async def tell(self, hint: Hint) -> None:
        pass  # the only process tells its own workers itself


class SqliteDatabase(GroupCommit):
    """The Database port on one file. `store/sqlite.py` opens it."""

    def __init__(
        self,
        writer: sqlite3.Connection,
        reader: sqlite3.Connection,
        log: WriteAheadLog,
        *,
        slow: bool,
        patience: float = PATIENCE,
    ) -> None:
        super().__init__()
        self._writer = writer
        self._reader = reader
        self._log = log
        self._slow = slow
        self._patience = patience

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._log.run)
            await super().run()
            nursery.cancel_scope.cancel()

    async def read(self, work: Callable[..., Awaitable[T]], *args: Any) -> T:
        await trio.lowlevel.checkpoint()
        connection = self._reader
        try:
            connection.execute("BEGIN")
            try:
                return await work(SqliteTx(connection), *args)
            finally:
                if connection.in_transaction:  # an input/output error ends it by itself
                    connection.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            if _outage(error):
                raise _unavailable(error) from error
            raise

    async def commit(self, works: Sequence[Work]) -> list[outcome.Outcome[Any]]:
        """One transaction: every work in a savepoint of its own, one flush for all."""
        try:
            await self._begin()
            results = [await self._one(work.function, work.args) for work in works]
            if self._slow:
                await trio.to_thread.run_sync(self._writer.commit)
            else:
                self._writer.commit()
            self.commits += 1
            self._log.written()
        except sqlite3.Error as error:
            return [outcome.Error(_unavailable(error)) for _ in works]
        finally:
            if self._writer.in_transaction:
                self._writer.rollback()
        if self._log.long:
            await self._log.begin_anew()
        return results

    async def _begin(self) -> None:
        """Take the write lock; another program that holds it is waited for, but not in line."""
        give_up = trio.current_time() + self._patience
        while True:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or trio.current_time() >= give_up:
                    raise
                await trio.sleep(PAUSE)
            else:
                return

    async def _one(
        self, work: Callable[..., Awaitable[Any]], args: tuple[Any, ...]
    ) -> outcome.Outcome[Any]:
        self._writer.execute("SAVEPOINT work")
        try:
            result = outcome.Value(await work(SqliteTx(self._writer), *args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked, not to the commit
            self._writer.execute("ROLLBACK TO work")
            if isinstance(error, sqlite3.DatabaseError) and _outage(error):
                return outcome.Error(_unavailable(error))
            return outcome.Error(error)
        finally:
            self._writer.execute("RELEASE work")
        return result


def _outage(error: sqlite3.DatabaseError) -> bool:
    """Whether the disk or another program is to blame; a wrong statement is our own mistake."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _OUTAGES


def _unavailable(error: sqlite3.Error) -> Unavailable:
    return Unavailable(f"The store cannot be used now ({error}).", code="store_unavailable")

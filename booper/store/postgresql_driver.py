"""PostgreSQL behind the Database port, through asyncpg: several writers with group commit, readers.

A whole transaction crosses the bridge to asyncio once: a work awaits nothing but its transaction,
so it can run there. Each work of a group stands in a savepoint of its own; a deadlock or a clash
with another process undoes the group, and its works are run again one by one.

A server that is away, shutting down, full, read-only or too slow is Unavailable for as long as it
lasts; the pool connects anew by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import msgspec
import outcome
import structlog
from msgspec.structs import astuple

from booper.domain.errors import Unavailable
from booper.ports import DONE
from booper.store.group_commit import GroupCommit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from msgspec import Struct

    from booper.bridge import Bridge
    from booper.domain.hint import Hint
    from booper.ports import Row, Sql
    from booper.store.group_commit import Work

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

log = structlog.get_logger()

T = TypeVar("T")
TRIES = 5  # of one work that clashes with other processes
PATIENCE = 5.0  # seconds to wait for a free connection
STATEMENT = 30_000  # milliseconds one statement may take
LOCK = 5_000  # milliseconds it may wait for somebody else's lock
SILENCE = 35.0  # seconds without an answer after which the way to the server counts as cut
CHANNEL = "booper"  # of this database, on which nodes hear each other
TELL = "SELECT pg_notify($1, $2)"
_BEGIN = (
    f"BEGIN ISOLATION LEVEL READ COMMITTED;SET LOCAL statement_timeout={STATEMENT};"
    f"SET LOCAL lock_timeout={LOCK};SET LOCAL idle_in_transaction_session_timeout={STATEMENT}"
)
_BEGIN_READ = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
    f"SET LOCAL statement_timeout={STATEMENT};"
    f"SET LOCAL idle_in_transaction_session_timeout={STATEMENT}"
)
_OUTAGES = (
    OSError,
    TimeoutError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.InsufficientResourcesError,  # class 53: disk, memory, connections
    asyncpg.OperatorInterventionError,  # class 57: shutdown, starting up, cancelled
    asyncpg.PostgresSystemError,  # class 58: input/output
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # the old primary after a fail-over
    asyncpg.InvalidCatalogNameError,  # the database is being restored
    asyncpg.InvalidAuthorizationSpecificationError,  # its password has changed
)


def outage(error: BaseException) -> bool:
    """Whether the server or the way to it is to blame; a wrong statement is our own mistake."""
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error)  # "connection is closed", "pool is closing"
    return isinstance(error, _OUTAGES)


class PostgresTx:
    """A transaction on one connection; runs in asyncio."""

    __slots__ = ("_connection",)
    near = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fetch(self, sql: Sql, *params: object) -> list[Row]:
        return [tuple(row) for row in await self._connection.fetch(sql.for_postgresql, *params)]

    async def columns(self, count: int, sql: Sql, *params: object) -> list[Sequence[Any]]:
        row = await self._connection.fetchrow(sql.for_postgresql, *params)
        return [column or () for column in row or [()] * count]

    async def execute(self, sql: Sql, *params: object) -> int:
        if sql.postgresql is DONE:
            return 0
        tag = await self._connection.execute(sql.for_postgresql, *params)
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def execute_many(self, sql: Sql, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            await self._connection.executemany(sql.for_postgresql, rows)

    async def insert_many(self, sql: Sql, rows: Sequence[Struct]) -> None:
        # Arrays of columns would cost this process twice as much: asyncpg asks of every value
        # whether it holds others.
        if len(rows) == 1:
            await self._connection.execute(sql.for_postgresql, *astuple(rows[0]))
        elif rows:
            await self._connection.execute(sql.rows, msgspec.json.encode(rows).decode())

    async def tell(self, hint: Hint) -> None:
        await self._connection.execute(TELL, CHANNEL, hint.text)


class PostgresDatabase(GroupCommit):
    """The Database port on one server. `store/postgresql.py` opens it."""

    most = 1024  # others are served meanwhile, and a commit is dear
    pause = 0.005

    def __init__(self, bridge: Bridge, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        super().__init__()
        self._bridge = bridge
        self._pool = pool

    async def read(self, work: Callable[..., Awaitable[T]], *args: Any) -> T:
        try:
            return await self._bridge.call(self._read, work, args)
        except Exception as error:
            if outage(error):
                raise unavailable(error) from error
            raise

    async def commit(self, works: Sequence[Work]) -> list[outcome.Outcome[Any]]:
        """One transaction for all; where works clash with another process's, one for each."""
        try:
            results = await self._bridge.call(self._together, works)
        except asyncpg.TransactionRollbackError as clash:
            if len(works) == 1:
                return [await self._again(works[0], clash)]
            return [(await self.commit([work]))[0] for work in works]
        except Exception as error:
            if not outage(error):
                raise
            return [outcome.Error(unavailable(error)) for _ in works]
        self.commits += 1
        return results

    async def _again(self, work: Work, clash: BaseException) -> outcome.Outcome[Any]:
        for _ in range(TRIES):
            try:
                (result,) = await self._bridge.call(self._together, [work])
            except asyncpg.TransactionRollbackError as error:
                clash = error
            except Exception as error:
                if not outage(error):
                    raise
                return outcome.Error(unavailable(error))
            else:
                self.commits += 1
                return result
        return outcome.Error(unavailable(clash))

    async def _read(self, work: Callable[..., Awaitable[T]], args: tuple[Any, ...]) -> T:
        if getattr(work, "single", False):
            async with self._connection() as connection:
                return await work(PostgresTx(connection), *args)
        async with self._transaction(_BEGIN_READ) as connection:
            return await work(PostgresTx(connection), *args)

    async def _together(self, works: Sequence[Work]) -> list[outcome.Outcome[Any]]:
        if len(works) == 1:  # it needs no savepoint: its transaction is its own
            return [await self._alone(works[0])]
        async with self._transaction(_BEGIN) as connection:
            transaction = PostgresTx(connection)
            results = []
            for work in works:
                await connection.execute("SAVEPOINT work")
                results.append(await _one(connection, transaction, work))
            return results

    async def _alone(self, work: Work) -> outcome.Outcome[Any]:
        one = getattr(work.function, "single", False)
        try:
            async with self._connection() if one else self._transaction(_BEGIN) as connection:
                result = await work.function(PostgresTx(connection), *work.args)
        except Exception as error:
            if isinstance(error, asyncpg.TransactionRollbackError) or outage(error):
                raise
            return outcome.Error(error)
        return outcome.Value(result)

    @contextlib.asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[Connection]:
        """A connection in a transaction; committed at the end, undone on an error."""
        async with self._connection() as connection:
            try:
                await connection.execute(begin)
                yield connection
                await connection.execute("COMMIT")
            except TimeoutError:
                raise
            except BaseException:
                await asyncio.shield(_undo(connection))
                raise

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool, which takes it back."""
        # With a time limit it takes a task and a timer, which are only worth it where it may wait.
        limit = None if self._pool.get_idle_size() else PATIENCE
        connection = await self._pool.acquire(timeout=limit)
        try:
            yield connection
        except TimeoutError:
            connection.terminate()  # nobody answers: it would not answer a ROLLBACK either
            raise
        finally:
            await self._pool.release(connection, timeout=PATIENCE)  # which shields itself


async def _undo(connection: Connection) -> None:
    """Roll back; a connection that cannot even do that is thrown away by its pool."""
    try:
        await connection.execute("ROLLBACK", timeout=PATIENCE)
    except Exception as error:  # noqa: BLE001 - the first error is the one that is told
        if not connection.is_closed():
            connection.terminate()
        if not outage(error):
            log.warning("rollback_failed", why=str(error))


async def _one(connection: Connection, transaction: PostgresTx, work: Work) -> outcome.Outcome[Any]:
    """The work's result, or its own mistake undone; what concerns everybody is raised."""
    try:
        return outcome.Value(await work.function(transaction, *work.args))
    except Exception as error:
        if isinstance(error, asyncpg.TransactionRollbackError) or outage(error):
            raise
        await connection.execute("ROLLBACK TO SAVEPOINT work")
        return outcome.Error(error)


def unavailable(error: BaseException) -> Unavailable:
    """The outage as our callers know it; the driver's words, which name no secret."""
    said = str(error).splitlines() or [type(error).__name__]
    return Unavailable(f"The store cannot be used now ({said[0]}).", code="store_unavailable")

"""The port of the store: statements, transactions, and the database they run in."""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from msgspec import Struct

    from booper.domain.hint import Hint

T = TypeVar("T")
S = TypeVar("S")
U = TypeVar("U")
Work = TypeVar("Work", bound="Callable[..., Awaitable[Any]]")
Row = tuple[Any, ...]
DONE = "-- the statement before has done it"


class Sql(NamedTuple):
    """One statement in both dialects, side by side.

    Left out, PostgreSQL's is SQLite's with `$1, $2 …` in place of `?` (or of `?1, ?2 …`). DONE: it
    has none, because the statement before did this as well.
    `rows`: PostgreSQL's for many rows at once, given as one JSON array of objects; to it every row
    is a message of its own, and takes several times as long.
    """

    sqlite: str
    postgresql: str = ""
    rows: str = ""

    @property
    def for_postgresql(self) -> str:
        """The statement as PostgreSQL reads it."""
        return self.postgresql or _dollars(self.sqlite)


@lru_cache(maxsize=1024)
def _dollars(text: str) -> str:
    count = itertools.count(1)
    return re.sub(r"\?(\d*)", lambda found: f"${found[1] or next(count)}", text)


def single(work: Work) -> Work:
    """Marks a work that is one statement, and so a transaction by itself: PostgreSQL is spared two
    round trips."""
    vars(work)["single"] = True
    return work


class Tx(Protocol):
    """One transaction; functions in `store/` take it first. Parameters are bound, never pasted."""

    near: bool
    """Whether a statement is a call; else it is a message to a server, of which few are better."""

    async def fetch(self, sql: Sql, *params: object) -> list[Row]: ...

    async def columns(self, count: int, sql: Sql, *params: object) -> list[Sequence[Any]]:
        """The same by column, of which there are `count`. In PostgreSQL's words the statement
        makes an array of each itself: to it every row is a message of its own."""
        ...

    async def execute(self, sql: Sql, *params: object) -> int:
        """Run a statement; the number of rows it changed."""
        ...

    async def execute_many(self, sql: Sql, rows: Sequence[Sequence[object]]) -> None: ...

    async def insert_many(self, sql: Sql, rows: Sequence[Struct]) -> None:
        """The same for structs, whose fields are the parameters, by a statement with `rows`."""
        ...

    async def tell(self, hint: Hint) -> None:
        """Every node that listens hears this, if and as soon as the transaction commits.

        Where one process holds the database nobody else is there to hear it.
        """
        ...


class Database(Protocol):
    """A durable store of rows."""

    async def read(self, work: Callable[..., Awaitable[T]], *args: Any) -> T:
        """The result of `work(tx, *args)` on a snapshot of committed rows."""
        ...

    async def write(self, work: Callable[..., Awaitable[T]], *args: Any, weight: int = 1) -> T:
        """The result of `work(tx, *args)`, durable when this returns.

        Many callers' works share one commit (group commit); one that raises is undone alone and
        its error goes to its own caller. Once begun, a write is seen through: cancelling the
        caller neither undoes nor halves it. A work awaits nothing but its transaction; where
        several processes write at once it may be undone and run again, so it changes nothing else.
        `weight`: 1 for about ten rows; what is heavy does not hold up what is light.
        """
        ...

    async def gather(
        self,
        work: Callable[[Tx, S, list[U]], Awaitable[list[T]]],
        shared: S,
        item: U,
        *,
        weight: int = 1,
    ) -> T:
        """Like `write`, for a work that does for many what it does for one: whoever waits for the
        same commit with the same `work` and the same `shared` is in one call of it.

        It answers one value for each item, in order; if it raises, it is run for each alone.
        """
        ...

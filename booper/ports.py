"""The few protocols through which Booper reaches the outside: everything else is a decision.

Adapters (`store/`, `transport/`, `clock.py`) implement them; workers and the API receive them
and never import an adapter. There is one fake per port, in the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from booper.wire import Answer, Endpoint, Stamp, Template

T = TypeVar("T")
Row = tuple[Any, ...]


class Clock(Protocol):
    """Time: the wall's for people, rows and JWTs; the monotonic one for waiting."""

    def wall(self) -> float:
        """Seconds since 1970 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        ...


class Ids(Protocol):
    """Where identifiers come from."""

    def mint(self) -> str:
        """A new UUIDv7 in its canonical text form; later ones sort after earlier ones."""
        ...


class Dice(Protocol):
    """Where jitter comes from."""

    def random(self) -> float:
        """A number in [0, 1)."""
        ...


class Sql(NamedTuple):
    """One statement in both dialects, side by side."""

    sqlite: str
    postgresql: str = ""


class Tx(Protocol):
    """One transaction; functions in `store/` take it first. Parameters are bound, never pasted."""

    async def fetch(self, sql: Sql, *params: object) -> list[Row]: ...

    async def execute(self, sql: Sql, *params: object) -> int:
        """Run a statement; the number of rows it changed."""
        ...

    async def execute_many(self, sql: Sql, rows: Sequence[Sequence[object]]) -> None: ...


class Database(Protocol):
    """A durable store of rows."""

    async def read(self, work: Callable[..., Awaitable[T]], *args: Any) -> T:
        """The result of `work(tx, *args)` on a snapshot of committed rows."""
        ...

    async def write(self, work: Callable[..., Awaitable[T]], *args: Any) -> T:
        """The result of `work(tx, *args)`, durable when this returns.

        Many callers' works share one commit (group commit); one that raises is undone alone and
        its error goes to its own caller. Once begun, a write is seen through: cancelling the
        caller neither undoes nor halves it.
        """
        ...


class Pool(Protocol):
    """The connections of one provider instance to one endpoint, opened when first needed."""

    async def send(
        self, template: Template, stamps: Sequence[Stamp], *, timeout: float
    ) -> list[Answer]:
        """One answer per stamp, in order; never raises for what happens to a request.

        `timeout` seconds after the call, every request without an answer becomes Lost.
        Cancelling the caller resets its streams and disturbs no other request.
        """
        ...

    async def aclose(self) -> None:
        """Let what is in flight end, then close every connection."""
        ...


class Transport(Protocol):
    """Opens pools."""

    def pool(self, endpoint: Endpoint) -> PoolRunner: ...


class PoolRunner(Pool, Protocol):
    """A pool together with the task that keeps its connections."""

    async def run(self) -> None:
        """Keep the connections until `aclose` ends; start it in the owner's nursery first."""
        ...


class Ports(NamedTuple):
    """Everything outside that a worker or a route may reach, handed in once."""

    database: Database
    transport: Transport
    clock: Clock
    ids: Ids
    dice: Dice

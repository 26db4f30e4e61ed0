"""Hints over LISTEN and NOTIFY: one connection of its own, beside the pool.

It has to reach the server itself: behind pgbouncer in transaction mode nothing is ever heard. A
line that is dead without a word is found out by asking, every ALIVE seconds.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import asyncpg
import trio

from booper.bridge import open_bridge
from booper.domain.hint import Hint, Kind, parsed
from booper.store.postgresql_driver import CHANNEL, outage, unavailable
from booper.store.postgresql_url import tls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from booper.bridge import Bridge

NAME = "booper listener"  # as the server's list of its connections shows it
CONNECT = 5.0  # seconds
ANSWER = 5.0  # seconds the server may take for a word
ALIVE = 10.0  # seconds of silence after which it is asked whether it is there
ROOM = 10_000  # different hints that may wait
_REFUSED = (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError)  # wrong name, wrong URL


@contextmanager
def _outages() -> Iterator[None]:
    """Whatever the server, or something before it, says against listening is an outage."""
    try:
        yield
    except Exception as error:
        if outage(error) or isinstance(error, _REFUSED):
            raise unavailable(error) from error
        raise


class PostgresEar:
    """The Ear port on one connection."""

    def __init__(self, bridge: Bridge, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._bridge = bridge
        self._connection = connection
        self._heard: dict[Hint, None] = {}
        self._bell = trio.Event()
        self._turn = trio.Lock()  # one connection does one thing at a time

    async def heard(self) -> Sequence[Hint]:
        while not self._heard:
            self._bell = trio.Event()
            if self._connection.is_closed():
                raise unavailable(ConnectionError("the listening connection is lost"))
            with trio.move_on_after(ALIVE):
                await self._bell.wait()
            if not self._bell.is_set():
                await self._ask("SELECT")
        heard, self._heard = list(self._heard), {}
        return heard

    async def tell(self, hint: Hint) -> None:
        quoted = hint.text.replace("'", "''")
        await self._ask(f"NOTIFY {CHANNEL}, '{quoted}'")

    async def begin(self) -> None:
        """Hear from now on."""
        self._connection.add_termination_listener(self._on_end)
        await self._bridge.call(self._connection.add_listener, CHANNEL, self._on_word)

    async def _ask(self, sql: str) -> None:
        async def ask() -> None:
            await self._connection.execute(sql, timeout=ANSWER)

        with _outages():
            async with self._turn:
                await self._bridge.call(ask)

    def _on_word(self, _connection: object, _process: int, _channel: str, text: object) -> None:
        """Called in asyncio's turn, so it only takes a note."""
        hint = parsed(str(text))
        if hint is None:
            return
        if len(self._heard) >= ROOM:
            self._heard = {Hint(Kind.ALL): None}
        self._heard[hint] = None
        self._bell.set()

    def _on_end(self, _connection: object) -> None:
        self._bell.set()


class PostgresHints:
    """The Hints port on one server."""

    def __init__(self, url: str) -> None:
        """Raises Misconfigured for what is no URL of a PostgreSQL server."""
        self._url = url
        self._options: dict[str, Any] = {"ssl": tls(url)}

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[PostgresEar]:
        async with open_bridge() as bridge:
            connection = await self._connect(bridge)
            try:
                ear = PostgresEar(bridge, connection)
                with _outages():
                    await ear.begin()
                yield ear
            finally:
                with trio.CancelScope(shield=True), suppress(Exception):
                    await bridge.call(self._close, connection)

    async def _connect(self, bridge: Bridge) -> asyncpg.Connection[asyncpg.Record]:
        async def connect() -> asyncpg.Connection[asyncpg.Record]:
            return await asyncpg.connect(
                self._url,
                timeout=CONNECT,
                statement_cache_size=0,
                server_settings={"application_name": NAME},
                **self._options,
            )

        with _outages():
            return await bridge.call(connect)

    async def _close(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        await connection.close(timeout=1.0)

"""The way to PostgreSQL is cut without a word: an outage of bounded length, and well again."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import trio

from booper.domain.errors import Unavailable
from booper.store import postgresql_hints
from booper.store.postgresql import open_postgresql
from booper.store.postgresql_hints import PostgresHints
from tests.booper.store.seeds import notify, rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.real


class Way:
    """A forwarder in front of the server, which can swallow everything."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self.open = trio.Event()
        self.open.set()
        self.url = ""

    def cut(self) -> None:
        """From now on nothing arrives on either side, and no connection is closed."""
        self.open = trio.Event()

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(
                partial(trio.serve_tcp, self._forward, 0, host="127.0.0.1")
            )
            port = listener.socket.getsockname()[1]
            user = self._parts.username or "root"
            self.url = f"postgresql://{user}@127.0.0.1:{port}{self._parts.path}"
            task_status.started()

    async def _forward(self, near: trio.SocketStream) -> None:
        folder = parse_qs(self._parts.query).get("host")
        if folder:
            far: trio.SocketStream = await trio.open_unix_socket(f"{folder[0]}/.s.PGSQL.5432")
        else:
            far = await trio.open_tcp_stream(self._parts.hostname or "", self._parts.port or 5432)
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(self._carry, near, far, nursery.cancel_scope)
            nursery.start_soon(self._carry, far, near, nursery.cancel_scope)

    async def _carry(
        self, source: trio.SocketStream, sink: trio.SocketStream, both: trio.CancelScope
    ) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await source.receive_some():
                await self.open.wait()
                await sink.send_all(data)
        both.cancel()


@asynccontextmanager
async def way(url: str) -> AsyncIterator[Way]:
    async with trio.open_nursery() as nursery:
        found = Way(url)
        await nursery.start(found.serve)
        yield found
        nursery.cancel_scope.cancel()


async def test_a_cut_way_is_an_outage_of_bounded_length(postgresql_url: str) -> None:
    async with (
        way(postgresql_url) as between,
        open_postgresql(between.url, connections=2, silence=0.3) as database,
    ):
        await database.write(notify, "before")
        between.cut()
        with trio.fail_after(60):
            with pytest.raises(Unavailable):
                await database.write(notify, "during")
            with pytest.raises(Unavailable):
                await rows(database, "SELECT 1")
            between.open.set()
            while True:
                with suppress(Unavailable):
                    await database.write(notify, "after")
                    break
                await trio.sleep(0.05)
        kept = [own for (own,) in await rows(database, "SELECT id FROM notifications ORDER BY 1")]
        assert kept in (["after", "before"], ["after", "before", "during"])


async def test_who_hears_nothing_because_the_way_is_cut_finds_out(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_hints, "ALIVE", 0.1)
    monkeypatch.setattr(postgresql_hints, "ANSWER", 0.2)
    async with way(postgresql_url) as between, PostgresHints(between.url).listen() as ear:
        between.cut()
        with trio.fail_after(30), pytest.raises(Unavailable):
            await ear.heard()

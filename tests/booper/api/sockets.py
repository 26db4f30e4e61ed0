"""The front on a real port, and clients that speak HTTP/1.1 by hand, well or badly."""

from __future__ import annotations

import json
import socket
import struct
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import h11
import trio

from booper.api import server
from booper.settings import Http, Public, Settings
from booper.store.sqlite import open_sqlite
from tests.booper.api.door import app_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from booper.store.sqlite_driver import SqliteDatabase

QUICK = Http(port=0, idle_timeout=0.4, body_timeout=0.6, max_body=2048)


class Answer(NamedTuple):
    """One answer, read by an HTTP library that is not the server's connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> str:
        """The code of the problem it is."""
        assert self.headers["content-type"] == "application/problem+json", self
        code: str = json.loads(self.body)["code"]
        return code


class Caller:
    """One TCP connection to the front."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._http = h11.Connection(h11.CLIENT)

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def answer(self) -> Answer:
        """The next answer; fails if the server closes instead."""
        status, headers, body = 0, {}, b""
        # The reader must believe that it asked; what was asked is on the wire already.
        self._http.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        self._http.send(h11.EndOfMessage())
        with trio.fail_after(10):
            while True:
                event = self._http.next_event()
                match event:
                    case h11.NEED_DATA:
                        data = await self.stream.receive_some(65_536)
                        assert data or status, "the server closed without an answer"
                        self._http.receive_data(bytes(data))
                    case h11.Response():
                        status = event.status_code
                        headers = {k.decode(): v.decode() for k, v in event.headers}
                    case h11.Data():
                        body += event.data
                    case h11.EndOfMessage():
                        if self._http.their_state is h11.DONE:
                            self._http.start_next_cycle()
                        return Answer(status, headers, body)

    async def closed(self) -> bytes:
        """What still comes until the server closes; fails if it stays open for 10 s."""
        found = b""
        with trio.fail_after(10):
            try:
                while data := await self.stream.receive_some(65_536):
                    found += data
            except trio.BrokenResourceError:
                pass
        return found

    def reset(self) -> None:
        """Leave as a machine does that lost its power: RST, nothing else."""
        linger = struct.pack("ii", 1, 0)
        self.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.stream.socket.close()


class Front(NamedTuple):
    """A front that listens."""

    port: int
    database: SqliteDatabase
    stop: Callable[[], None]
    callers: list[Caller]

    async def call(self) -> Caller:
        """A new connection; at the end of the test it is closed."""
        self.callers.append(Caller(await trio.open_tcp_stream("127.0.0.1", self.port)))
        return self.callers[-1]

    async def ask(self, data: bytes) -> Answer:
        """One request on a connection of its own."""
        caller = await self.call()
        async with caller.stream:
            await caller.send(data)
            return await caller.answer()

    async def lives(self) -> None:
        """Fails unless a newcomer is served."""
        assert (await self.ask(get("/healthz"))).status == 200


@asynccontextmanager
async def listening(
    folder: Path, http: Http = QUICK, *, grace: float = 1.0, patience: float = 0.1
) -> AsyncIterator[Front]:
    """A front on a free port, stopped in order at the end; that must take at most 10 s."""
    async with open_sqlite(folder / "b.sqlite3", patience=patience) as database:
        free = Public(per_address=0, per_channel=0, changes_per_address=0)
        app = app_of(database, Settings(http=http, public=free))
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        stopping = trio.Event()
        serve = partial(server.serve, app, http, listeners, stopping.wait, grace)
        port = listeners[0].socket.getsockname()[1]
        front = Front(port, database, stopping.set, [])
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_bounded, serve, stopping)
                yield front
                stopping.set()
        finally:
            for caller in front.callers:
                caller.stream.socket.close()


async def _bounded(serve: Callable[[], Awaitable[Any]], stopping: trio.Event) -> None:
    async with trio.open_nursery() as nursery:

        async def guard() -> None:
            await stopping.wait()
            await trio.sleep(10)
            raise AssertionError("the front does not stop")

        nursery.start_soon(guard)
        await serve()
        nursery.cancel_scope.cancel()


def get(path: str, *headers: str) -> bytes:
    """A GET as bytes."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def post(path: str, body: object, *headers: str) -> bytes:
    """A POST of JSON as bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(data)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + data

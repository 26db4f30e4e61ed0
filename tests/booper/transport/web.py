"""A small HTTP/1.1 server over TLS or without, that says whatever a test wants it to say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import h11
import trio

from booper.transport import Guard, Network
from booper.wire import Outlet, Request
from tests.booper.transport.conftest import EvenDice

if TYPE_CHECKING:
    import ssl

    from booper import wire
    from booper.transport.requests import Client
    from tests.booper.transport.certificates import Authority

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Asked:
    """One request as it came."""

    def __init__(self, head: h11.Request, body: bytes) -> None:
        self.method = head.method
        self.target = head.target
        self.headers = list(head.headers)
        self.body = body

    def header(self, name: bytes) -> list[bytes]:
        return [text for key, text in self.headers if key == name]


Answer = Callable[[Asked, trio.abc.Stream], Awaitable[None]]


class Web:
    """Answers each request by `answer`; counts connections and keeps what it was asked."""

    def __init__(
        self, settings: ssl.SSLContext | None = None, answer: Answer | None = None
    ) -> None:
        self._settings = settings
        self._answer = answer or self._ok
        self.asked: list[Asked] = []
        self.opened = 0
        self.open = 0
        self.most = 0
        self.port = 0

    @property
    def url(self) -> str:
        scheme = "http" if self._settings is None else "https"
        return f"{scheme}://localhost:{self.port}"

    async def serve(self, *, task_status: trio.TaskStatus[Web] = trio.TASK_STATUS_IGNORED) -> None:
        (listener, *_) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, self._meet, [listener])
            task_status.started(self)

    async def _meet(self, raw: trio.SocketStream) -> None:
        stream: trio.abc.Stream = raw
        if self._settings is not None:
            stream = trio.SSLStream(raw, self._settings, server_side=True, https_compatible=True)
        self.opened += 1
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await self._listen(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.open -= 1
            await trio.aclose_forcefully(stream)

    async def _listen(self, stream: trio.abc.Stream) -> None:
        while True:
            reader = h11.Connection(h11.SERVER)
            head: h11.Request | None = None
            body = b""
            while True:
                event = reader.next_event()
                if event is h11.NEED_DATA:
                    data = await stream.receive_some(65536)
                    if not data and head is None:
                        return
                    reader.receive_data(bytes(data))
                elif isinstance(event, h11.Request):
                    head = event
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    return
            assert head is not None
            self.asked.append(Asked(head, body))
            await self._answer(self.asked[-1], stream)

    async def _ok(self, asked: Asked, stream: trio.abc.Stream) -> None:
        await stream.send_all(OK)


@asynccontextmanager
async def served(
    authority: Authority | None, answer: Any = None, guard: Guard | None = None, **outlet: Any
) -> AsyncIterator[tuple[Web, Client]]:
    """A server and a client for it."""
    settings = authority.server(alpn=("http/1.1",)) if authority else None
    web = Web(settings, answer)
    async with trio.open_nursery() as nursery:
        await nursery.start(web.serve)
        file = authority.file if authority else None
        client = Network(EvenDice(), guard).client(Outlet(ca_file=file, **outlet))
        with trio.fail_after(10):
            yield web, client
            await client.aclose()
        nursery.cancel_scope.cancel()


async def one(client: Client, url: str, timeout: float = 5, **fields: Any) -> wire.Answer:
    fields.setdefault("method", "POST")
    (answer,) = await client.send([Request(url=url, **fields)], timeout=timeout)
    return answer

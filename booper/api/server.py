"""The HTTP/1.1 server: hypercorn's trio connections, with the cures they need.

TLS and HTTP/2 towards clients belong to the proxy in front. Cures, each kept by raw-socket tests:
1. hypercorn lets any clear-text client switch to HTTP/2, and its HTTP/2 side ends the whole worker
   when such a client leaves mid-stream: here a connection only ever speaks HTTP/1.1.
2. quart-trio cancels a request's tasks, hypercorn's recycling of the connection among them, from
   inside the last send: that send is shielded.
3. A write that meets another one on a connection being closed is an end, not an error.
4. hypercorn waits for ever, and shielded, for a client that reads nothing: each write is bounded.
5. hypercorn keeps the place of a client that has left until it would have been idle for too long.
6. A target that is no URL, or an offer of a WebSocket, is no reason for a 500.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, RawData, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from quart_trio.asgi import TrioASGIHTTPConnection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import h11
    from hypercorn.events import Event
    from hypercorn.protocol import ProtocolWrapper
    from hypercorn.typing import ASGISendCallable, ASGISendEvent
    from quart import Quart
    from quart.wrappers import Request

    from booper.settings import Http

log = structlog.get_logger()

LAST_SEND = 5.0  # seconds a client may take to read the end of its answer


class ShieldedConnection(TrioASGIHTTPConnection):
    """Cure 2: the end of an answer is never cancelled half-way."""

    async def handle_request(  # type: ignore[override]
        self, nursery: trio.Nursery, request: Request, send: ASGISendCallable
    ) -> None:
        async def shielded(event: ASGISendEvent) -> None:
            if event["type"] == "http.response.body" and not event.get("more_body", False):
                with trio.move_on_after(LAST_SEND, shield=True):
                    await send(event)
            else:
                await send(event)

        await super().handle_request(nursery, request, shielded)


class Http1(H11Protocol):
    """Cure 1: no HTTP/2. An offer of it (`Upgrade: h2c`) is ignored: RFC 9110 §7.8."""

    async def _check_protocol(self, event: h11.Request) -> None:
        if event.method == b"PRI":
            raise ConnectionAbortedError("a client that speaks HTTP/2 without asking")

    async def _create_stream(self, request: h11.Request) -> None:
        """Cure 6; an offer of any other protocol is ignored, as RFC 9110 §7.8 allows."""
        try:
            urlsplit(request.target.decode("ascii"))
        except ValueError:
            await self._send_error_response(400)
            await self.send(Closed())
            return
        if any(name == b"upgrade" for name, _ in request.headers):
            request = type(request)(
                method=request.method,
                target=request.target,
                headers=[(name, value) for name, value in request.headers if name != b"upgrade"],
                http_version=request.http_version,
            )
        await super()._create_stream(request)


class Connection(TCPServer):
    """One client's connection."""

    _ended = False

    @property  # type: ignore[override]
    def protocol(self) -> Http1:
        return self._protocol

    @protocol.setter
    def protocol(self, wrapper: ProtocolWrapper) -> None:
        # hypercorn would put its switching wrapper here; its arguments are all that is wanted.
        self._protocol = Http1(
            wrapper.app,
            wrapper.config,
            wrapper.context,
            wrapper.task_group,
            wrapper.state,
            wrapper.ssl,
            wrapper.client,
            wrapper.server,
            wrapper.send,
        )

    async def _read_data(self) -> None:
        """Cure 5: nothing more comes, so nobody waits for more."""
        await super()._read_data()
        self._ended = True
        await self.idle_task.stop()

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            await self._send(event.data)
        elif not (self._ended and isinstance(event, Updated)):
            await super().protocol_send(event)

    async def _send(self, data: bytes) -> None:
        """Cures 3 and 4: shielded, so that no answer is cut off by our own cancelling, and bounded
        by the time that a client may be idle."""
        async with self.send_lock:
            with trio.move_on_after(self.config.keep_alive_timeout, shield=True) as scope:
                try:
                    await self.stream.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
                    await self.protocol.handle(Closed())
        if scope.cancelled_caught:
            await trio.aclose_forcefully(self.stream)
            await self.protocol.handle(Closed())


async def serve(
    app: Quart,
    settings: Http,
    listeners: list[trio.SocketListener],
    stopping: Callable[[], Awaitable[None]],
    grace: float,
) -> None:
    """Serve `app` until `stopping` returns; then take no more connections, and give the requests
    under way `grace` seconds to finish. What goes wrong on one connection ends that one alone."""
    if not issubclass(app.asgi_http_class, ShieldedConnection):
        app.asgi_http_class = ShieldedConnection
    config = Config()
    config.keep_alive_timeout = settings.idle_timeout
    config.read_timeout = math.ceil(settings.idle_timeout + settings.body_timeout)
    config.keep_alive_max_requests = 1_000_000
    config.h11_max_incomplete_size = 16_384
    config.include_server_header = False
    config.accesslog = config.errorlog = None
    context = WorkerContext(None)
    wrapper = ASGIWrapper(app)
    slots = trio.CapacityLimiter(settings.max_connections)

    async def connection(stream: trio.SocketStream) -> None:
        try:
            slots.acquire_on_behalf_of_nowait(stream)
        except trio.WouldBlock:
            await stream.aclose()
            return
        try:
            await Connection(wrapper, config, context, {}, stream).run()  # type: ignore[arg-type]
        except* OSError:
            pass
        except* Exception as group:  # noqa: BLE001 - a front crashes one connection at a time
            log.error("connection_crashed", errors=[_name(error) for error in group.exceptions])
        finally:
            slots.release_on_behalf_of(stream)

    async with trio.open_nursery() as connections:
        async with trio.open_nursery() as accepting:
            accepting.start_soon(_serve_listeners, connection, listeners, connections)
            await stopping()
            accepting.cancel_scope.cancel()
        await context.terminated.set()  # idle connections close at once
        connections.cancel_scope.deadline = trio.current_time() + grace


async def _serve_listeners(
    handler: Callable[[trio.SocketStream], Awaitable[None]],
    listeners: list[trio.SocketListener],
    connections: trio.Nursery,
) -> None:
    await trio.serve_listeners(handler, listeners, handler_nursery=connections)


def _name(error: Any) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__

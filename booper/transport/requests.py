"""Whole requests over HTTP/1.1: a client on httpcore, behind the HttpClient port.

For everything low-rate: ntfy, Expo, Web Push, OAuth, receipts. One task per request, bounded by
the outlet's connections; where the addresses come from outside, one origin that does not answer
holds at most half of them.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpcore
import trio

from booper.domain import address
from booper.transport import tls
from booper.transport.guard import Guard, Guarded
from booper.transport.reach import Reach
from booper.wire import Lost, Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.wire import Answer, Outlet, Request

BODY_LIMIT = 65_536  # bytes of an answer's body that are kept
CLOSED = Lost(sent=False, reason="closed", detail="the client is closed")
LATE = Lost(sent=False, reason="deadline")
_USER_AGENT = b"booper"


class Origin:
    """Who is busy with one (scheme, host, port), and how often it could not be reached."""

    def __init__(self, places: int) -> None:
        self.free = trio.CapacityLimiter(places)
        self.users = 0
        self.failures = 0
        self.failure = LATE


class Exchange:
    """One request under way. `sent` from the moment its first byte may have left."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.sent = False
        self.answer: Answer | None = None

    async def trace(self, event: str, info: object) -> None:  # noqa: ARG002 - httpcore's signature
        """What httpcore tells about its progress."""
        if event == "http11.send_request_headers.started":
            self.sent = True

    def result(self) -> Answer:
        """The answer; if none came in time, Lost."""
        if self.answer is not None:
            return self.answer
        return Lost(sent=self.sent, reason="deadline")


class Client:
    """One owner's way to HTTP/1.1 servers (see `ports.HttpClient` for what it promises)."""

    def __init__(self, outlet: Outlet, guard: Guard) -> None:
        self._outlet = outlet
        self._reach = Reach(outlet, guard)
        self._pool: httpcore.AsyncConnectionPool | None = None
        self._places = trio.CapacityLimiter(outlet.max_connections)
        self._origins: dict[tuple[str, str, int], Origin] = {}
        self._in_flight = 0
        self._idle = trio.Event()
        self._used = False
        self._closing = False
        self._ended = trio.Event()

    async def send(self, requests: Sequence[Request], *, timeout: float) -> list[Answer]:
        """One answer per request, in order (`ports.HttpClient.send`)."""
        if self._closing or not requests:
            await trio.lowlevel.checkpoint()
            return [CLOSED] * len(requests)
        exchanges = [Exchange(request) for request in requests]
        self._in_flight += 1
        self._used = True
        try:
            with trio.move_on_after(timeout):
                async with trio.open_nursery() as nursery:
                    for exchange in exchanges:
                        nursery.start_soon(self._exchange, exchange)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()
        return [exchange.result() for exchange in exchanges]

    async def run(self) -> None:
        """Close idle connections until `aclose` ends (`ports.HttpClientRunner.run`)."""
        while not self._ended.is_set():
            used, self._used = self._used, False
            if not used and not self._in_flight:
                await self._let_go()
            with trio.move_on_after(self._outlet.idle_timeout):
                await self._ended.wait()

    async def aclose(self) -> None:
        """Let what is in flight end, then close every connection. Cancelled, it closes at once."""
        self._closing = True
        try:
            while self._in_flight:
                self._idle = trio.Event()
                await self._idle.wait()
        finally:
            await self._let_go()
            self._ended.set()

    async def _let_go(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            with trio.CancelScope(shield=True):
                await pool.aclose()

    async def _exchange(self, exchange: Exchange) -> None:
        try:
            where = address.parse(exchange.request.url)
        except address.AddressError as error:
            exchange.answer = Lost(sent=False, reason="invalid_url", detail=str(error))
            return
        name = (where.scheme, where.host, where.port)
        trusted = name[1:] in self._outlet.trusted
        if self._outlet.guarded and where.scheme != "https" and not trusted:
            exchange.answer = Lost(sent=False, reason="guarded", detail="only https is allowed")
            return
        origin = self._origins.get(name)
        if origin is None:
            all_ = self._outlet.max_connections
            origin = Origin(max(all_ // 2, 1) if self._outlet.guarded else all_)
            self._origins[name] = origin
        origin.users += 1
        failures = origin.failures
        try:
            async with origin.free, self._places:
                if origin.failures != failures:
                    # Whoever waited while the origin could not be reached shares that fate, so
                    # that a dead one costs one connection's patience and not one per request.
                    exchange.answer = origin.failure
                    return
                exchange.answer = await self._ask(exchange, where)
            if isinstance(exchange.answer, Lost) and exchange.answer.reason == "connect_failed":
                origin.failures += 1
                origin.failure = exchange.answer
        finally:
            origin.users -= 1
            if not origin.users:
                del self._origins[name]

    async def _ask(self, exchange: Exchange, where: address.Address) -> Answer:
        """The answer, whatever goes wrong; details quote nothing that may be secret."""
        try:
            return await self._speak(exchange, where)
        except Guarded as error:
            return Lost(sent=False, reason="guarded", detail=str(error))
        except (httpcore.ConnectError, httpcore.ConnectTimeout, ssl.SSLError, OSError) as error:
            return Lost(exchange.sent, "connect_failed", _explain(error))
        except httpcore.LocalProtocolError:
            return Lost(sent=exchange.sent, reason="invalid_request")
        except httpcore.RemoteProtocolError:
            detail = "the connection ended early, or the answer is not HTTP/1.1"
            return Lost(exchange.sent, "protocol_error", detail)
        except (httpcore.NetworkError, httpcore.TimeoutException):
            return Lost(sent=exchange.sent, reason="reset", detail="the connection broke")

    async def _speak(self, exchange: Exchange, where: address.Address) -> Reply:
        request = exchange.request
        try:
            headers = [
                (name.encode("ascii"), text.encode("ascii")) for name, text in request.headers
            ]
            method = request.method.encode("ascii")
        except UnicodeEncodeError:
            raise httpcore.LocalProtocolError from None
        headers += (
            (b"host", where.authority.encode()),
            (b"accept-encoding", b"identity"),
            (b"user-agent", _USER_AGENT),
        )
        if request.body or method not in (b"GET", b"HEAD"):
            headers.append((b"content-length", b"%d" % len(request.body)))
        made = httpcore.Request(
            method,
            httpcore.URL(
                scheme=where.scheme.encode(),
                host=where.host.encode(),
                port=where.port,
                target=where.target.encode(),
            ),
            headers=headers,
            content=request.body,
            extensions={
                "trace": exchange.trace,
                "timeout": {"connect": self._outlet.connect_timeout},
            },
        )
        response = await self._opened().handle_async_request(made)
        body = await _read(response)
        head = tuple((name.lower(), text) for name, text in response.headers)
        return Reply(response.status, head, body[:BODY_LIMIT])

    def _opened(self) -> httpcore.AsyncConnectionPool:
        if self._pool is None:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=tls.context(self._outlet.ca_file, alpn="http/1.1"),
                max_connections=self._outlet.max_connections,
                keepalive_expiry=self._outlet.idle_timeout,
                network_backend=self._reach,
            )
        return self._pool


async def _read(response: httpcore.Response) -> bytes:
    """The body up to what is kept of it; one that is longer costs its connection."""
    body, cut = b"", False
    try:
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > BODY_LIMIT and not cut:
                cut = True
                # The loop goes on until the closed stream ends it: left in the middle, httpcore's
                # generators would be abandoned.
                await response.aclose()
    except httpcore.ReadError:
        if not cut:
            raise
    finally:
        await response.aclose()
    return body


def _explain(error: BaseException) -> str:
    """What stood in the way, in words for an operator."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return tls.explain(cause)
        # httpcore puts what it met into its own error and cuts the chain.
        inner = next((arg for arg in cause.args if isinstance(arg, BaseException)), None)
        cause = inner or cause.__cause__
    return str(error) or "no connection"

"""How an HTTP/1.1 client gets its TCP streams: past the guard, by way of a proxy if there is one.

httpcore speaks TLS and HTTP over what comes from here, with the name from the URL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpcore
import trio

from booper.transport import proxy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from booper.transport.guard import Guard
    from booper.wire import Outlet


class Reach(httpcore.AsyncNetworkBackend):
    """The network as an outlet may see it. `connect_tcp` raises Guarded besides its own errors."""

    def __init__(self, outlet: Outlet, guard: Guard) -> None:
        self._outlet = outlet
        self._guard = guard
        self._trio = httpcore.TrioBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - the interface's
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """A stream to one of the host's addresses, within `timeout` seconds in all."""
        try:
            with trio.fail_after(timeout or self._outlet.connect_timeout):
                return await self._connect(host, port)
        except trio.TooSlowError:
            raise httpcore.ConnectTimeout("no connection in time") from None
        except (OSError, UnicodeError, proxy.ProxyError) as error:
            raise httpcore.ConnectError(str(error) or "no connection") from error

    async def sleep(self, seconds: float) -> None:
        """Part of the interface."""
        await trio.sleep(seconds)

    async def _connect(self, host: str, port: int) -> httpcore.AsyncNetworkStream:
        guarded = self._outlet.guarded and (host, port) not in self._outlet.trusted
        found = await self._guard.addresses(host, port) if guarded else [host]
        trouble: Exception | None = None
        left = len(found)
        for one in found:
            # A share of the time for each, so that a dead first address leaves some to the others.
            share = (trio.current_effective_deadline() - trio.current_time()) / left
            left -= 1
            try:
                with trio.fail_after(share):
                    return await self._one(one, port)
            except (httpcore.ConnectError, trio.TooSlowError) as error:
                trouble = error
        raise httpcore.ConnectError(str(trouble) or "no connection in time")

    async def _one(self, host: str, port: int) -> httpcore.AsyncNetworkStream:
        if self._outlet.proxy is None:
            return await self._trio.connect_tcp(host, port)
        by = proxy.parse(self._outlet.proxy.reveal())
        stream = await self._trio.connect_tcp(by.host, by.port)
        try:
            await stream.write(proxy.request(by, host, port))
            head = b""
            while not proxy.tunnelled(head):
                more = await stream.read(4096)
                if not more:
                    raise proxy.ProxyError("the proxy closed the connection")
                head += more
        except BaseException as error:
            with trio.CancelScope(shield=True):
                await stream.aclose()
            if isinstance(error, httpcore.ReadError | httpcore.WriteError):
                raise proxy.ProxyError("the proxy broke the connection") from error
            raise
        return stream

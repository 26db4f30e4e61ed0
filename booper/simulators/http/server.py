"""A simulated provider on a socket: HTTP/1.1, over TLS or in the clear."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

import trio

from booper.simulators.certificates import Authority
from booper.simulators.faults import Faults
from booper.simulators.http.connection import Connection
from booper.simulators.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from booper.simulators.http.call import Rules, Ruling

_GONE = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError)


class HttpSimulator:
    """A server for tests, demos and measurements that answers by a provider's `rules`.

    `rules`, `faults` and `ledger` may be read and changed at any time from the same thread.
    `ca_pem` is what a client must trust; `port` and `url` are known once `serve` has started.
    Times are in seconds.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        faults: Faults | None = None,
        ledger: Ledger | None = None,
        authority: Authority | None = None,
        tls: bool = True,
        idle_timeout: float = 60.0,
        handshake_timeout: float = 10.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.rules = rules
        self.faults = Faults() if faults is None else faults
        self.ledger = Ledger() if ledger is None else ledger
        self.authority = authority or Authority()
        self.idle_timeout = idle_timeout
        self.now = now
        self.port = 0
        self.connections = 0
        self.connections_total = 0
        self._tls = tls
        self._handshake_timeout = handshake_timeout

    @property
    def ca_pem(self) -> str:
        """The certificate of the authority behind the server's certificate."""
        return self.authority.pem

    @property
    def url(self) -> str:
        """Where a client on this machine finds the server."""
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}"

    async def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled; gives the port (a free one for 0) once connections are accepted.

        Raises OSError if the address cannot be had. Clients may come and go as they like.
        """
        listeners = await trio.open_tcp_listeners(port, host=host, backlog=1024)
        self.port = listeners[0].socket.getsockname()[1]
        context = self.authority.server_context(alpn=("http/1.1",)) if self._tls else None

        async def converse(stream: trio.SocketStream) -> None:
            await self._converse(stream, context)

        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, converse, listeners)
            task_status.started(self.port)

    def book(self, ruling: Ruling) -> None:
        """Write down what a ruling that stands means."""
        now = self.now()
        for device, push_id in ruling.pushes:
            self.ledger.accept(ruling.instance, device, push_id, now)
        if ruling.status >= 300:
            self.ledger.refuse(ruling.reason or str(ruling.status))
        if ruling.keep is not None:
            ruling.keep()

    async def _converse(self, raw: trio.SocketStream, context: ssl.SSLContext | None) -> None:
        """One connection, from the handshake to its end."""
        stream: trio.abc.Stream = raw
        self.connections += 1
        self.connections_total += 1
        try:
            if context is not None:
                secure = trio.SSLStream(raw, context, server_side=True, https_compatible=True)
                with trio.move_on_after(self._handshake_timeout) as handshake:
                    await secure.do_handshake()
                if handshake.cancelled_caught:
                    return
                stream = secure
            await Connection(self, stream, raw).run()
            with trio.move_on_after(1):
                await stream.aclose()
        except _GONE:
            pass
        finally:
            self.connections -= 1
            await trio.aclose_forcefully(raw)

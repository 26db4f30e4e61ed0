"""The simulated Apple on a socket: TLS with ALPN h2, connections at will, a `Session` for each."""

from __future__ import annotations

import math
import ssl
import time
from typing import TYPE_CHECKING

import trio

from booper.simulators.apns.account import Account
from booper.simulators.apns.desk import Desk, Habits
from booper.simulators.apns.session import Ending, Session
from booper.simulators.certificates import Authority
from booper.simulators.faults import Faults
from booper.simulators.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 64 * 1024
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError)


class ApnsSimulator:
    """An APNs server for tests, demos and measurements.

    `account`, `faults` and `ledger` may be read and changed at any time from the same thread.
    `ca_pem` is what a client must trust; `port` and `url` are known once `serve` has started.
    """

    def __init__(
        self,
        account: Account | None = None,
        *,
        faults: Faults | None = None,
        ledger: Ledger | None = None,
        habits: Habits | None = None,
        authority: Authority | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.account = Account() if account is None else account
        self.faults = Faults() if faults is None else faults
        self.ledger = Ledger() if ledger is None else ledger
        self.habits = habits or Habits()
        self.authority = authority or Authority()
        self.port = 0
        self.connections = 0
        self.connections_total = 0
        self._desk = Desk(self.account, self.faults, self.ledger, self.habits, now)

    @property
    def ca_pem(self) -> str:
        """The certificate of the authority behind the server's certificate."""
        return self.authority.pem

    @property
    def url(self) -> str:
        """Where a client on this machine finds the server."""
        return f"https://localhost:{self.port}"

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
        context = self.authority.server_context()

        async def converse(stream: trio.SocketStream) -> None:
            await self._converse(stream, context)

        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, converse, listeners)
            task_status.started(self.port)

    async def _converse(self, raw: trio.SocketStream, context: ssl.SSLContext) -> None:
        """One connection, from the handshake to its end."""
        stream = trio.SSLStream(raw, context, server_side=True, https_compatible=True)
        self.connections += 1
        self.connections_total += 1
        try:
            with trio.move_on_after(self.habits.handshake_timeout) as handshake:
                await stream.do_handshake()
            if not handshake.cancelled_caught:  # ALPN is offered, not asked for: aioapns sends none
                session = Session(self._desk, trio.current_time())
                await _Connection(stream, session, self.habits.idle_timeout).run()
        except _GONE:
            pass
        finally:
            self.connections -= 1
            await trio.aclose_forcefully(stream)


class _Connection:
    """Moves bytes between a TLS stream and a session, and watches the session's deadline."""

    def __init__(
        self, stream: trio.SSLStream[trio.SocketStream], session: Session, patience: float
    ) -> None:
        self._stream = stream
        self._session = session
        self._patience = patience  # how long a dead connection stays open, in seconds
        self._writing = trio.Lock()
        self._sooner = trio.Event()
        self._watched = math.inf

    async def run(self) -> None:
        """Serve until the session ends or the peer is gone; never raises for what a peer does."""
        self._session.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            try:
                await self._flush()
                await self._read()
            except _GONE:
                pass
            nursery.cancel_scope.cancel()
        if self._session.ending is Ending.DEAD:
            await trio.sleep(self._patience)
        if self._session.ending is Ending.CLOSE:
            with trio.move_on_after(1):
                await self._stream.aclose()

    async def _read(self) -> None:
        while self._session.ending is None:
            data = bytes(await self._stream.receive_some(_CHUNK))
            self._session.receive(data, trio.current_time())
            await self._flush()
            if self._session.deadline() < self._watched:
                self._sooner.set()

    async def _watch(self, scope: trio.CancelScope) -> None:
        """Tick whenever the session wants it; its end ends the connection."""
        try:
            while self._session.ending is None:
                self._watched = self._session.deadline()
                with trio.move_on_at(self._watched):
                    await self._sooner.wait()
                self._sooner = trio.Event()
                self._session.tick(trio.current_time())
                await self._flush()
        except _GONE:
            pass
        scope.cancel()

    async def _flush(self) -> None:
        """Write what is queued, whole batches at a time and in order."""
        async with self._writing:
            if data := self._session.take():
                await self._stream.send_all(data)

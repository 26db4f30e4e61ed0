"""A simulator on a socket: TLS, connections at will, a talk without I/O for each."""

from __future__ import annotations

import math
import ssl
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol

import trio

from booper.simulators.certificates import Authority
from booper.simulators.faults import Faults
from booper.simulators.ledger import Ledger
from booper.simulators.serving.session import Ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.simulators.serving.desk import Habits

_CHUNK = 64 * 1024
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError)


class Talk(Protocol):
    """One connection without I/O (`session.Session` says how it is used)."""

    ending: Ending | None

    def open(self) -> None: ...

    def receive(self, data: bytes, at: float) -> None: ...

    def tick(self, at: float) -> None: ...

    def deadline(self) -> float: ...

    def take(self) -> bytes: ...


class Simulator(ABC):
    """A provider's server for tests, demos and measurements.

    `faults` and `ledger` may be read and changed at any time from the same thread. `ca_pem` is
    what a client must trust; `port` and `url` are known once `serve` has started.
    """

    alpn: ClassVar[Sequence[str]] = ("h2",)

    def __init__(
        self,
        faults: Faults | None,
        ledger: Ledger | None,
        habits: Habits,
        authority: Authority | None,
    ) -> None:
        self.faults = Faults() if faults is None else faults
        self.ledger = Ledger() if ledger is None else ledger
        self.habits = habits
        self.authority = authority or Authority()
        self.port = 0
        self.connections = 0
        self.connections_total = 0

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
        context = self._context()

        async def converse(stream: trio.SocketStream) -> None:
            await self._converse(stream, context)

        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, converse, listeners)
            task_status.started(self.port)

    def _context(self) -> ssl.SSLContext:
        """The server's TLS settings."""
        return self.authority.server_context(alpn=self.alpn)

    @abstractmethod
    def _talk(self, stream: trio.SSLStream[trio.SocketStream], at: float) -> Talk:
        """What is spoken on a connection whose handshake is done."""

    async def _converse(self, raw: trio.SocketStream, context: ssl.SSLContext) -> None:
        """One connection, from the handshake to its end."""
        stream = trio.SSLStream(raw, context, server_side=True, https_compatible=True)
        self.connections += 1
        self.connections_total += 1
        try:
            with trio.move_on_after(self.habits.handshake_timeout) as handshake:
                await stream.do_handshake()
            if not handshake.cancelled_caught:
                talk = self._talk(stream, trio.current_time())
                await _Connection(stream, talk, self.habits.idle_timeout).run()
        except _GONE:
            pass
        finally:
            self.connections -= 1
            await trio.aclose_forcefully(stream)


class _Connection:
    """Moves bytes between a TLS stream and a talk, and watches the talk's deadline."""

    def __init__(
        self, stream: trio.SSLStream[trio.SocketStream], talk: Talk, patience: float
    ) -> None:
        self._stream = stream
        self._talk = talk
        self._patience = patience  # how long a dead connection stays open, in seconds
        self._writing = trio.Lock()
        self._sooner = trio.Event()
        self._watched = math.inf

    async def run(self) -> None:
        """Serve until the talk ends or the peer is gone; never raises for what a peer does."""
        self._talk.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            try:
                await self._flush()
                await self._read()
            except _GONE:
                pass
            nursery.cancel_scope.cancel()
        if self._talk.ending is Ending.DEAD:
            await trio.sleep(self._patience)
        if self._talk.ending is Ending.CLOSE:
            with trio.move_on_after(1):
                await self._stream.aclose()

    async def _read(self) -> None:
        while self._talk.ending is None:
            data = bytes(await self._stream.receive_some(_CHUNK))
            self._talk.receive(data, trio.current_time())
            await self._flush()
            if self._talk.deadline() < self._watched:
                self._sooner.set()

    async def _watch(self, scope: trio.CancelScope) -> None:
        """Tick whenever the talk wants it; its end ends the connection."""
        try:
            while self._talk.ending is None:
                self._watched = self._talk.deadline()
                with trio.move_on_at(self._watched):
                    await self._sooner.wait()
                self._sooner = trio.Event()
                self._talk.tick(trio.current_time())
                await self._flush()
        except _GONE:
            pass
        scope.cancel()

    async def _flush(self) -> None:
        """Write what is queued, whole batches at a time and in order."""
        async with self._writing:
            if data := self._talk.take():
                await self._stream.send_all(data)

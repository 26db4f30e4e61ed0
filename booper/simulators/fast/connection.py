"""One connection in the fast lane: TLS, the engine's server twin, and a clerk who answers.

One task, one pass per wake-up: all that has arrived is read, answered and written as one piece.
Answers held back leave together, one timer for each pass and not for each request.
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

import trio

from booper.transport.line import LineClosed, TlsLine
from booper.transport.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from booper.http2 import Request, Server

HANDSHAKE = 10.0  # seconds
IDLE = 3600.0  # seconds without a word, after which a connection is closed
LINGER = 5.0  # seconds a connection that said GOAWAY and owes nothing waits for the peer to leave


Answer = tuple[int, bytes, bytes]  # stream, header block, body


class Alike(NamedTuple):
    """Answers without a body whose blocks are one lead and values of one length."""

    streams: Sequence[int]
    lead: bytes
    values: Sequence[bytes]


class Answers(NamedTuple):
    """The answers to one pass' requests, sent in any order."""

    each: list[Answer]
    alike: list[Alike]

    def send(self, server: Server) -> None:
        """Queue them all."""
        for run in self.alike:
            server.respond_alike(*run)
        if self.each:
            server.respond_many(self.each)


class Clerk(Protocol):
    """Who answers the requests of one connection."""

    server: Server

    def answer(self, requests: Sequence[Request]) -> Answers:
        """What is left out is never answered."""
        ...


async def converse(
    stream: trio.SocketStream, context: ssl.SSLContext, clerk: Clerk, *, delay: float = 0.0
) -> None:
    """Serve one connection until either side ends it; never raises for what a peer does.

    Takes the stream over and closes it. Each answer leaves `delay` seconds after its request came.
    """
    line = await _handshake(stream, context)
    if line is None:
        return
    try:
        await _Conversation(line, clerk, delay).run()
    except LineClosed:
        pass
    finally:
        line.close()


async def _handshake(stream: trio.SocketStream, context: ssl.SSLContext) -> TlsLine | None:
    """A line over the stream's own socket, or None if no TLS session came about."""
    session = Tls(context, None)
    try:
        with trio.fail_after(HANDSHAKE):
            done = False
            while not done:
                heard = bytes(await stream.receive_some(65536))
                if not heard:
                    return None
                try:
                    done = session.handshake(heard)
                finally:
                    if say := session.outgoing():
                        await stream.send_all(say)
        stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return TlsLine(socket.socket(fileno=stream.socket.detach()), session)
    except (ssl.SSLError, trio.BrokenResourceError, trio.TooSlowError, OSError):
        return None
    finally:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)  # a detached socket is not harmed by it


class _Conversation:
    """The life of a connection after its handshake."""

    def __init__(self, line: TlsLine, clerk: Clerk, delay: float) -> None:
        self._line = line
        self._clerk = clerk
        self._delay = delay
        self._held: deque[tuple[float, Answers]] = deque()

    async def run(self) -> None:
        """Raises LineClosed when the peer has gone."""
        line, server = self._line, self._clerk.server
        with trio.CancelScope() as scope:
            while server.failure is None:
                line.write(server.take())
                while line.backlog:
                    await line.writable()
                now = trio.current_time()
                owes = self._held or server.open_streams
                scope.deadline = now + (LINGER if server.draining and not owes else IDLE)
                with self._until_due():
                    await line.readable()
                self._hear(line.read())
        line.write(server.take())

    def _hear(self, data: bytes) -> None:
        """Answer what has come, and what is due."""
        server = self._clerk.server
        requests = server.receive(data) if data else []
        if requests:
            answers = self._clerk.answer(requests)
            if not self._delay:
                answers.send(server)
            else:
                self._held.append((trio.current_time() + self._delay, answers))
        while self._held and self._held[0][0] <= trio.current_time():
            self._held.popleft()[1].send(server)

    @contextmanager
    def _until_due(self) -> Iterator[None]:
        """Wait no longer than until the next answers may leave."""
        if not self._held:
            yield
            return
        with trio.move_on_at(self._held[0][0]):
            yield

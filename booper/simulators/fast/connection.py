"""One connection in the fast lane: TLS, the engine's server twin, and a clerk who answers.

One task, one pass per wake-up: all that has arrived is read, answered and written as one piece.
Answers held back leave together, one timer for each pass and not for each request.
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
import trio

from booper.transport.line import LineClosed, TlsLine
from booper.transport.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.http2 import Request, Server

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


class Patience(msgspec.Struct, frozen=True):
    """Seconds: for a handshake, for a word on an idle connection, for the peer to leave after
    GOAWAY when it is owed nothing."""

    handshake: float = 10.0
    idle: float = 3600.0
    linger: float = 5.0


class Clerk(Protocol):
    """Who answers the requests of one connection."""

    server: Server

    def answer(self, requests: Sequence[Request]) -> Answers:
        """What is left out is never answered."""
        ...


async def converse(
    stream: trio.SocketStream,
    context: ssl.SSLContext,
    clerk: Clerk,
    *,
    delay: float = 0.0,
    patience: Patience = Patience(),  # noqa: B008  (frozen)
) -> None:
    """Serve one connection until either side ends it; never raises for what a peer does.

    Takes the stream over and closes it. Each answer leaves `delay` seconds after its request came.
    """
    line = None
    with trio.move_on_after(patience.handshake):
        line = await _handshake(stream, context)
    if line is None:
        return
    try:
        await _Conversation(line, clerk, delay, patience).run()
    except LineClosed:
        pass
    finally:
        line.close()


async def _handshake(stream: trio.SocketStream, context: ssl.SSLContext) -> TlsLine | None:
    """A line over the stream's own socket, or None if no TLS session came about."""
    session = Tls(context, None)
    try:
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
    except (ssl.SSLError, trio.BrokenResourceError, OSError):
        return None
    finally:
        await trio.aclose_forcefully(stream)  # a detached socket is not harmed by it


class _Conversation:
    """The life of a connection after its handshake."""

    def __init__(self, line: TlsLine, clerk: Clerk, delay: float, patience: Patience) -> None:
        self._line = line
        self._clerk = clerk
        self._delay = delay
        self._patience = patience
        self._held: deque[tuple[float, Answers]] = deque()

    async def run(self) -> None:
        """Raises LineClosed when the peer has gone."""
        line, server, patience = self._line, self._clerk.server, self._patience
        heard = trio.current_time()
        while server.failure is None:
            line.write(server.take())
            while line.backlog:
                await line.writable()
            leaving = server.draining and not self._held and not server.open_streams
            until = heard + (patience.linger if leaving else patience.idle)
            with trio.move_on_at(min(until, self._held[0][0]) if self._held else until):
                await line.readable()
            now = trio.current_time()
            data = line.read()
            if data:
                heard = now
            elif now >= until:
                if server.draining:
                    return
                server.goaway(detail='{"reason":"IdleTimeout"}')
                heard = now
            self._hear(data, now)
        line.write(server.take())

    def _hear(self, data: bytes, now: float) -> None:
        """Answer what has come, and what is due."""
        server = self._clerk.server
        requests = server.receive(data) if data else []
        if requests:
            answers = self._clerk.answer(requests)
            if not self._delay:
                answers.send(server)
            else:
                self._held.append((now + self._delay, answers))
        while self._held and self._held[0][0] <= now:
            self._held.popleft()[1].send(server)

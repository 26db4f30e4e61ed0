"""Real servers on loopback: `Peer`s behind TLS, an HTTP proxy, and how to find a free port."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tests.booper.transport.peers import Peer


class Near:
    """What a Peer speaks into: a TLS stream with a queue in front."""

    def __init__(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        self.stream = stream
        self._into, self._letters = trio.open_memory_channel[bytes](100_000)

    def say(self, data: bytes) -> None:
        if data:
            self._into.send_nowait(data)

    def hang_up(self) -> None:
        self._into.close()

    async def write(self) -> None:
        async for data in self._letters:
            await self.stream.send_all(data)


class TlsServer:
    """Serves `Peer`s over TLS. While `pause` is set to an Event, nobody reads."""

    def __init__(self, settings: ssl.SSLContext, make: Callable[[], Peer]) -> None:
        self._settings = settings
        self._make = make
        self.port = 0
        self.peers: list[Peer] = []
        self.pause: trio.Event | None = None
        self.streams: list[trio.SSLStream[trio.SocketStream]] = []

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._serve, [listener])

    async def _serve(self, tcp: trio.SocketStream) -> None:
        stream = trio.SSLStream(tcp, self._settings, server_side=True)
        near, peer = Near(stream), self._make()
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await stream.do_handshake()
            self.peers.append(peer)
            self.streams.append(stream)
            peer.begin(near)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, stream, peer, nursery)
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await near.write()
                nursery.cancel_scope.cancel()
        await trio.aclose_forcefully(stream)

    async def _read(
        self, stream: trio.SSLStream[trio.SocketStream], peer: Peer, nursery: trio.Nursery
    ) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while True:
                if self.pause is not None:
                    await self.pause.wait()
                data = await stream.receive_some(65536)
                if not data:
                    break
                peer.hear(bytes(data))
        nursery.cancel_scope.cancel()


class HttpProxy:
    """A proxy that connects to port `to`, or nowhere; `asked` are the heads it saw."""

    def __init__(self, to: int | None, answer: bytes = b"HTTP/1.1 200 Go\r\n\r\n") -> None:
        self._to = to
        self._answer = answer
        self.port = 0
        self.asked: list[bytes] = []

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._serve, [listener])

    async def _serve(self, client: trio.SocketStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await client.receive_some()
        self.asked.append(head)
        for byte in self._answer:  # one at a time, as bad networks do
            await client.send_all(bytes((byte,)))
        if self._to is None:
            await client.aclose()
            return
        server = await trio.open_tcp_stream("127.0.0.1", self._to)
        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(self._carry, client, server)
            await self._carry(server, client)
            nursery.cancel_scope.cancel()

    @staticmethod
    async def _carry(source: trio.SocketStream, sink: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in source:
                await sink.send_all(data)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port

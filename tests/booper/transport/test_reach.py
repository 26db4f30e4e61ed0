"""How the HTTP/1.1 client gets its streams: address by address, and by way of a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.domain.secret import Secret
from booper.transport import Guard, Network
from booper.wire import Lost, Outlet, Reply
from tests.booper.transport.conftest import EvenDice
from tests.booper.transport.web import Web, one, served

if TYPE_CHECKING:
    from tests.booper.transport.certificates import Authority

pytestmark = pytest.mark.real


class Proxy:
    """A CONNECT proxy that says `answer` and, if that opens a tunnel, carries bytes to `port`."""

    def __init__(self, answer: bytes, port: int) -> None:
        self._answer = answer
        self._port = port
        self.asked: list[bytes] = []
        self.url = ""

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        (listener, *_) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.url = f"http://user:secret@127.0.0.1:{listener.socket.getsockname()[1]}"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, self._meet, [listener])
            task_status.started()

    async def _meet(self, stream: trio.SocketStream) -> None:
        self.asked.append(bytes(await stream.receive_some(4096)))
        await stream.send_all(self._answer)
        if b" 200 " not in self._answer:
            return
        other = await trio.open_tcp_stream("127.0.0.1", self._port)
        async with other, trio.open_nursery() as nursery:
            nursery.start_soon(_carry, stream, other)
            await _carry(other, stream)
            nursery.cancel_scope.cancel()


async def _carry(source: trio.SocketStream, sink: trio.SocketStream) -> None:
    try:
        async for data in source:
            await sink.send_all(data)
        await sink.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


async def test_by_way_of_a_proxy_to_the_address_that_was_checked(authority: Authority) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    guard = Guard(["127.0.0.0/8"], resolve=resolve)
    async with served(authority) as (web, _), trio.open_nursery() as nursery:
        proxy = Proxy(b"HTTP/1.1 200 fine\r\n\r\n", web.port)
        await nursery.start(proxy.serve)
        for guarded, asked in ((True, b"127.0.0.1"), (False, b"localhost")):
            outlet = Outlet(ca_file=authority.file, proxy=Secret(proxy.url), guarded=guarded)
            client = Network(EvenDice(), guard).client(outlet)
            assert isinstance(await one(client, web.url), Reply), "TLS is with the name"
            head = proxy.asked.pop()
            assert head.startswith(b"CONNECT %b:%d HTTP/1.1\r\n" % (asked, web.port))
            assert b"Proxy-Authorization: Basic" in head
            await client.aclose()
        outlet = Outlet(ca_file=authority.file, proxy=Secret(proxy.url), guarded=True)
        client = Network(EvenDice()).client(outlet)
        refused = await one(client, web.url)
        assert isinstance(refused, Lost)
        assert refused.reason == "guarded", "a proxy is no way round the guard"
        assert proxy.asked == []
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 no\r\n\r\n",
        b"HTTP/1.1 502 bad\r\n\r\n",
        b"junk\r\n\r\n",
        b"HTTP/1.1 200 fine\r\n\r\nmore",
        b"",
    ],
)
async def test_a_proxy_that_does_not_serve(authority: Authority, answer: bytes) -> None:
    async with served(authority) as (web, _), trio.open_nursery() as nursery:
        proxy = Proxy(answer, web.port)
        await nursery.start(proxy.serve)
        client = Network(EvenDice()).client(Outlet(ca_file=authority.file, proxy=Secret(proxy.url)))
        lost = await one(client, web.url)
        assert isinstance(lost, Lost)
        assert (lost.sent, lost.reason) == (False, "connect_failed")
        assert "secret" not in lost.detail
        assert web.asked == []
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "ftp://x", "junk", "http://[::1"])
async def test_a_proxy_that_is_not_there(authority: Authority, proxy: str) -> None:
    client = Network(EvenDice()).client(Outlet(ca_file=authority.file, proxy=Secret(proxy)))
    lost = await one(client, "https://localhost:1/")
    assert isinstance(lost, Lost)
    assert (lost.sent, lost.reason) == (False, "connect_failed")


async def test_the_next_address_is_tried_when_one_is_dead(authority: Authority) -> None:
    """Nobody listens on 127.0.0.2."""

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    guard = Guard(["127.0.0.0/8"], resolve=resolve)
    web = Web(authority.server(alpn=("http/1.1",)))
    async with trio.open_nursery() as nursery:
        await nursery.start(web.serve)
        outlet = Outlet(ca_file=authority.file, guarded=True)
        client = Network(EvenDice(), guard).client(outlet)
        assert isinstance(await one(client, web.url), Reply)
        await client.aclose()
        nursery.cancel_scope.cancel()


async def test_a_name_nobody_knows_was_never_called(authority: Authority) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    client = Network(EvenDice(), Guard(resolve=resolve)).client(Outlet(guarded=True))
    lost = await one(client, "https://nowhere.example/")
    assert isinstance(lost, Lost)
    assert (lost.sent, lost.reason) == (False, "connect_failed")

"""Real sockets and real TLS on loopback; the clock is real too, so nothing here asserts times."""

from __future__ import annotations

import re
import socket
import struct
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.domain.secret import Secret
from booper.transport import Network, Pool
from booper.wire import Endpoint, Lost, Reply
from tests.booper.transport.conftest import TEMPLATE, stamps
from tests.booper.transport.peers import Peer, echo
from tests.booper.transport.real import HttpProxy, TlsServer, free_port

if TYPE_CHECKING:
    from booper.ports import Transport
    from tests.booper.transport.certificates import Authority

pytestmark = pytest.mark.real


async def serve(nursery: trio.Nursery, authority: Authority, **kind: Any) -> TlsServer:
    server = TlsServer(authority.server(**kind), Peer)
    await nursery.start(server.run)
    return server


def pool(nursery: trio.Nursery, port: int, ca_file: str | None, **habits: Any) -> Pool:
    transport: Transport = Network(Random(1))
    made = transport.pool(Endpoint("localhost", port, ca_file, **habits))
    assert isinstance(made, Pool)
    nursery.start_soon(made.run)
    return made


async def test_answers_over_tls_and_a_clean_end(
    nursery: trio.Nursery, authority: Authority
) -> None:
    server = await serve(nursery, authority)
    sender = pool(nursery, server.port, authority.file, max_connections=2)
    got: dict[str, list[object]] = {}

    async def caller(name: str) -> None:
        got[name] = list(await sender.send(TEMPLATE, stamps(70, name), timeout=30))

    async with trio.open_nursery() as callers:
        for i in range(6):
            callers.start_soon(caller, f"caller-{i}-")
    for name, answers in got.items():
        assert [a.body for a in answers if isinstance(a, Reply)] == [
            f"/{name}{i}".encode() for i in range(70)
        ]
    await sender.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert all(peer.goodbye for peer in server.peers)
    assert sender.statistics().connections == 0


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ({"name": "other.example"}, "not valid for 'localhost'"),
        ({"expired": True}, "expired"),
        ({"alpn": ()}, "does not speak HTTP/2"),
        ({"alpn": ("http/1.1",)}, "does not speak HTTP/2|alert"),
    ],
)
async def test_a_server_we_must_not_trust_is_refused(
    nursery: trio.Nursery, authority: Authority, kind: dict[str, Any], words: str
) -> None:
    server = await serve(nursery, authority, **kind)
    answers = await pool(nursery, server.port, authority.file).send(TEMPLATE, stamps(2), timeout=30)
    for answer in answers:
        assert isinstance(answer, Lost)
        assert (answer.sent, answer.reason) == (False, "connect_failed")
        assert re.search(words, answer.detail)


async def test_an_authority_of_its_own_is_not_the_systems(
    nursery: trio.Nursery, authority: Authority
) -> None:
    server = await serve(nursery, authority)
    (answer,) = await pool(nursery, server.port, None).send(TEMPLATE, stamps(1), timeout=30)
    assert isinstance(answer, Lost)
    assert answer.detail.startswith("TLS certificate refused")
    assert server.peers == []


async def test_nobody_there(nursery: trio.Nursery, authority: Authority) -> None:
    sender = pool(nursery, free_port(), authority.file)
    (answer,) = await sender.send(TEMPLATE, stamps(1), timeout=30)
    assert isinstance(answer, Lost)
    assert (answer.sent, answer.reason) == (False, "connect_failed")
    missing = pool(nursery, 1, "/no/such/authority.pem")
    (answer,) = await missing.send(TEMPLATE, stamps(1), timeout=30)
    assert isinstance(answer, Lost)
    assert (answer.sent, answer.reason) == (False, "connect_failed")


async def test_a_server_that_says_nothing_costs_the_connect_timeout(
    nursery: trio.Nursery, authority: Authority
) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        mute.settimeout(10)
        sender = pool(nursery, mute.getsockname()[1], authority.file, connect_timeout=0.2)
        (answer,) = await sender.send(TEMPLATE, stamps(1), timeout=30)
        left, _ = mute.accept()
        with left:
            left.settimeout(30)
            while left.recv(65536):  # what was opened is closed again
                pass
    assert answer == Lost(False, "connect_failed", "no connection within 0.2 s")


async def test_by_way_of_a_proxy(nursery: trio.Nursery, authority: Authority) -> None:
    server = await serve(nursery, authority)
    by = HttpProxy(server.port)
    await nursery.start(by.run)
    address = f"http://me:word@127.0.0.1:{by.port}"
    sender = pool(nursery, 443, authority.file, proxy=Secret(address))
    answers = await sender.send(TEMPLATE, stamps(50), timeout=30)
    assert [a.body for a in answers if isinstance(a, Reply)] == [
        f"/{i}".encode() for i in range(50)
    ]
    assert by.asked[0].startswith(b"CONNECT localhost:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6d29yZA==" in by.asked[0]


async def test_a_proxy_that_says_no(nursery: trio.Nursery, authority: Authority) -> None:
    by = HttpProxy(None, b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    await nursery.start(by.run)
    address = f"http://me:word@127.0.0.1:{by.port}"
    sender = pool(nursery, 443, authority.file, proxy=Secret(address))
    (answer,) = await sender.send(TEMPLATE, stamps(1), timeout=30)
    detail = "the proxy wants other credentials (407)"
    assert answer == Lost(False, "connect_failed", detail)


async def test_a_connection_cut_in_the_middle(nursery: trio.Nursery, authority: Authority) -> None:
    server = await serve(nursery, authority)

    def script(peer: Peer, stream: int, path: str) -> None:
        if len(server.peers) > 1:
            echo(peer, stream, path)
        elif len(peer.requests) == 100:
            tcp = server.streams[0].transport_stream
            at_once = struct.pack("ii", 1, 0)
            tcp.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            tcp.socket.close()  # RST: the hardest end there is

    server._make = lambda: Peer(script)
    sender = pool(nursery, server.port, authority.file, max_connections=1)
    answers = await sender.send(TEMPLATE, stamps(150), timeout=30)
    assert [a.sent for a in answers[:100] if isinstance(a, Lost)] == [True] * 100
    assert all(isinstance(a, Reply) for a in answers[100:])


async def test_a_server_that_does_not_read_holds_up_and_loses_nothing(
    nursery: trio.Nursery, authority: Authority
) -> None:
    server = await serve(nursery, authority)
    server._make = lambda: Peer(streams=1000, window=1 << 28)
    sender = pool(nursery, server.port, authority.file, max_connections=1)
    assert await sender.warm(timeout=30) is None
    await sender.send(TEMPLATE, stamps(1), timeout=30)
    server.pause = trio.Event()
    big = [(f"{i}".encode(), (), bytes(50_000)) for i in range(600)]
    got: list[object] = []

    async def caller() -> None:
        got.extend(await sender.send(TEMPLATE, big, timeout=60))

    async with trio.open_nursery() as callers:
        callers.start_soon(caller)
        while not sender._fleet.connections[0]._line.backlog:
            await trio.sleep(0.01)
        assert sender.statistics().queued > 0
        server.pause.set()
    assert [a.body for a in got if isinstance(a, Reply)] == [f"/{i}".encode() for i in range(600)]

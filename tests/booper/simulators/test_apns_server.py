"""The simulator on real sockets: TLS, HTTP/2 by httpx, and peers that behave badly."""

from __future__ import annotations

import ssl
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
import trio
import trio.testing

from booper.simulators.apns import Account, ApnsSimulator, Habits, SigningKey
from booper.simulators.faults import Answer, AnyFault, Dead, Delay, GoAway, Hangup, Reset
from tests.booper.simulators.conftest import TOPIC

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.real
DEVICE = "ab" * 32
BODY = b'{"aps":{}}'


class Sender:
    """An httpx client that pushes to the simulator."""

    def __init__(self, client: httpx.AsyncClient, url: str, key: SigningKey) -> None:
        self.client = client
        self.url = url
        self.headers = {
            "authorization": f"bearer {key.mint(time.time())}",
            "apns-topic": TOPIC,
        }

    async def push(self, device: str = DEVICE) -> httpx.Response:
        url = f"{self.url}/3/device/{device}"
        return await self.client.post(url, headers=self.headers, content=BODY)


@asynccontextmanager
async def sender(simulator: ApnsSimulator, key: SigningKey) -> AsyncIterator[Sender]:
    """A sender with connections of its own."""
    context = simulator.authority.client_context()
    async with httpx.AsyncClient(http2=True, verify=context, timeout=30, trust_env=False) as client:
        yield Sender(client, simulator.url, key)


async def test_a_push_goes_through(simulator: ApnsSimulator, key: SigningKey) -> None:
    async with sender(simulator, key) as apple:
        answer = await apple.push()
        assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
        assert answer.content == b""
        refused = await apple.push("zz")
        assert (refused.status_code, refused.json()) == (400, {"reason": "BadDeviceToken"})
    (entry,) = simulator.ledger
    assert entry.push_id == answer.headers["apns-id"]
    assert simulator.connections_total == 1


async def test_many_connections_with_many_streams(
    simulator: ApnsSimulator, key: SigningKey
) -> None:
    async def campaign(number: int) -> None:
        async with sender(simulator, key) as apple, trio.open_nursery() as nursery:
            for device in range(50):
                nursery.start_soon(expect_200, apple, f"{number:032x}{device:032x}")

    async def expect_200(apple: Sender, device: str) -> None:
        assert (await apple.push(device)).status_code == 200

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(campaign, number)
    summary = simulator.ledger.summary()
    assert (summary.accepted, summary.distinct) == (500, 500)
    assert simulator.connections_total == 10


@pytest.mark.parametrize("fault", [Hangup(), Reset(8), GoAway()])
async def test_a_push_is_lost_and_the_next_one_goes_through(
    simulator: ApnsSimulator, key: SigningKey, fault: AnyFault
) -> None:
    simulator.faults.script(fault, times=1)
    async with sender(simulator, key) as apple:
        with pytest.raises((httpx.NetworkError, httpx.RemoteProtocolError)):
            await apple.push()
    async with sender(simulator, key) as apple:
        assert (await apple.push()).status_code == 200
    assert len(simulator.ledger) == 1


async def test_a_dead_connection_is_silent_and_the_others_live(
    simulator: ApnsSimulator, key: SigningKey
) -> None:
    simulator.faults.script(Dead(), times=1)
    async with sender(simulator, key) as lost, sender(simulator, key) as other:
        with trio.move_on_after(0.3) as patience:
            await lost.push()
        assert patience.cancelled_caught
        assert (await other.push()).status_code == 200
        assert simulator.connections == 2


async def test_a_delayed_answer_comes_and_does_not_hold_up_others(
    simulator: ApnsSimulator, key: SigningKey
) -> None:
    order: list[str] = []
    simulator.faults.script(Delay(0.3), device=DEVICE)
    async with sender(simulator, key) as apple:
        assert (await apple.push("cd" * 32)).status_code == 200

        async def push(device: str) -> None:
            assert (await apple.push(device)).status_code == 200
            order.append(device)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(push, DEVICE)
            await trio.testing.wait_all_tasks_blocked(0.01)
            nursery.start_soon(push, "cd" * 32)
    assert order == ["cd" * 32, DEVICE]


async def test_the_fault_of_one_device_is_not_that_of_another(
    simulator: ApnsSimulator, key: SigningKey
) -> None:
    simulator.faults.script(Answer(429, "TooManyRequests"), device=DEVICE, times=1)
    async with sender(simulator, key) as apple:
        statuses = [(await apple.push(device)).status_code for device in ("cd" * 32, DEVICE)]
        statuses.append((await apple.push()).status_code)
    assert statuses == [200, 429, 200]


async def test_tls_is_new_and_the_certificate_ours(simulator: ApnsSimulator) -> None:
    context = simulator.authority.client_context()
    stream = await trio.open_ssl_over_tcp_stream("localhost", simulator.port, ssl_context=context)
    async with stream:
        await stream.do_handshake()
        assert (stream.selected_alpn_protocol(), stream.version()) == ("h2", "TLSv1.3")
    stranger = ssl.create_default_context()
    stream = await trio.open_ssl_over_tcp_stream("localhost", simulator.port, ssl_context=stranger)
    with pytest.raises(trio.BrokenResourceError) as broken:
        await stream.do_handshake()
    assert isinstance(broken.value.__cause__, ssl.SSLCertVerificationError)
    await trio.aclose_forcefully(stream)


async def test_peers_that_behave_badly_harm_nobody(
    simulator: ApnsSimulator, key: SigningKey
) -> None:
    context = simulator.authority.client_context()
    for words in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"):
        raw = await trio.open_tcp_stream("127.0.0.1", simulator.port)
        await raw.send_all(words)
        await raw.aclose()
    for words in (b"", b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" * 2):
        tcp = await trio.open_tcp_stream("127.0.0.1", simulator.port)
        tls = trio.SSLStream(tcp, context, server_hostname="localhost")
        await tls.do_handshake()
        await tls.send_all(words)
        await tcp.aclose()
    async with sender(simulator, key) as apple:
        assert (await apple.push()).status_code == 200
        with trio.fail_after(10):
            while simulator.connections > 1:
                await trio.sleep(0.01)


async def test_an_idle_connection_and_a_slow_handshake_are_closed(
    key: SigningKey, nursery: trio.Nursery
) -> None:
    habits = Habits(idle_timeout=0.2, linger=0.1, handshake_timeout=0.2)
    simulator = ApnsSimulator(Account([key.team_key]), habits=habits)
    await nursery.start(simulator.serve)
    silent = await trio.open_tcp_stream("127.0.0.1", simulator.port)
    async with sender(simulator, key) as apple:
        assert (await apple.push()).status_code == 200
        with trio.fail_after(10):
            assert await silent.receive_some() == b""
            while simulator.connections:
                await trio.sleep(0.01)
    await silent.aclose()
    nursery.cancel_scope.cancel()

"""The fast lane answers as the strict simulators do, on real sockets, to the product's own pool."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from booper.simulators.apns import Account, Habits, Registration
from booper.simulators.fast import FastApnsSimulator
from booper.simulators.faults import Answer as ScriptedAnswer
from booper.transport import Http2Transport
from booper.wire import Endpoint, Header, Stamp, Template

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from booper.simulators.apns import SigningKey
    from booper.transport import Pool

pytestmark = pytest.mark.real
TOPIC = "org.example.app"
BODY = b'{"aps":{"alert":"hello"}}'


class Dice:
    def random(self) -> float:
        return 0.5


class Sender:
    """A pool that sends to one simulator."""

    def __init__(self, pool: Pool, authority: bytes, token: str) -> None:
        self.pool = pool
        self.authority = authority
        self.token = token

    def template(self, *more: Header, topic: str = TOPIC) -> Template:
        headers = (
            (b"authorization", f"bearer {self.token}".encode()),
            (b"apns-topic", topic.encode()),
            (b"apns-push-type", b"alert"),
            *more,
        )
        return Template(self.authority, b"/3/device/", headers, stamped=(b"apns-id",))

    async def send(self, stamps: list[Stamp], template: Template | None = None) -> list[Any]:
        return list(await self.pool.send(template or self.template(), stamps, timeout=20))


def stamp(number: int, body: bytes = BODY) -> Stamp:
    return f"{number:064x}".encode(), (push_id(number),), body


def push_id(number: int) -> bytes:
    return f"00000000-0000-4000-8000-{number:012x}".encode()


@pytest.fixture
async def fast(
    key: SigningKey, nursery: trio.Nursery, request: pytest.FixtureRequest
) -> FastApnsSimulator:
    options: dict[str, Any] = getattr(request, "param", {})
    simulator = FastApnsSimulator(Account([key.team_key]), **options)
    await nursery.start(simulator.serve)
    return simulator


@pytest.fixture
async def sender(
    fast: FastApnsSimulator, key: SigningKey, nursery: trio.Nursery, tmp_path: Path
) -> AsyncIterator[Sender]:
    authority = tmp_path / "ca.pem"
    authority.write_text(fast.ca_pem)
    endpoint = Endpoint("localhost", fast.port, ca_file=str(authority), max_connections=2)
    pool = Http2Transport(Dice()).pool(endpoint)
    nursery.start_soon(pool.run)
    yield Sender(pool, f"localhost:{fast.port}".encode(), key.mint(time.time()))
    await pool.aclose()
    nursery.cancel_scope.cancel()


async def test_a_campaign_is_accepted_and_written_down_in_order(
    fast: FastApnsSimulator, sender: Sender
) -> None:
    answers = await sender.send([stamp(number) for number in range(3000)])
    assert [(a.status, a.body, a.header(b"apns-id")) for a in answers] == [
        (200, b"", push_id(number)) for number in range(3000)
    ]
    entries = list(fast.ledger)
    assert [entry.device for entry in entries] == [f"{number:064x}" for number in range(3000)]
    assert {entry.instance for entry in entries} == {f"TEAM123456/KEY1234567/{TOPIC}"}
    summary = fast.ledger.summary()
    assert (summary.accepted, summary.duplicates, summary.refused) == (3000, 0, {})


async def test_the_bad_ones_are_found_among_the_good(
    fast: FastApnsSimulator, sender: Sender
) -> None:
    fast.account.unregister(f"{7:064x}", 1_700_000_000_000)
    fast.account.register(f"{8:064x}", Registration(topic="org.example.other"))
    fast.account.register(f"{9:064x}")
    stamps = [stamp(number) for number in range(500)]
    stamps[100] = stamp(100, b"not JSON")
    stamps[101] = (b"zz" * 32, (push_id(101),), BODY)
    stamps[102] = (f"{102:064x}".encode(), (b"no-uuid",), BODY)
    stamps[103] = stamp(103, b'{"x":"' + b"y" * 4096 + b'"}')
    stamps[104] = (f"{104:064x}a".encode(), (push_id(104),), BODY)
    answers = await sender.send(stamps)
    refused = {i: (a.status, a.body) for i, a in enumerate(answers) if a.status != 200}
    assert refused == {
        7: (410, b'{"reason":"Unregistered","timestamp":1700000000000}'),
        8: (400, b'{"reason":"DeviceTokenNotForTopic"}'),
        100: (400, b'{"reason":"PayloadEmpty"}'),
        101: (400, b'{"reason":"BadDeviceToken"}'),
        102: (400, b'{"reason":"BadMessageId"}'),
        103: (413, b'{"reason":"PayloadTooLarge"}'),
        104: (400, b'{"reason":"BadDeviceToken"}'),
    }
    assert len(fast.ledger) == 493
    assert fast.ledger.refused["BadDeviceToken"] == 2


async def test_several_notifications_at_once_and_a_topic_that_is_not_ours(
    fast: FastApnsSimulator, sender: Sender
) -> None:
    foreign = sender.template(topic="org.example.foreign")
    other = sender.template((b"apns-collapse-id", b"x"))
    answers: dict[str, list[Any]] = {}

    async def send(name: str, template: Template | None) -> None:
        answers[name] = await sender.send([stamp(n) for n in range(700)], template)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, "plain", None)
        nursery.start_soon(send, "foreign", foreign)
        nursery.start_soon(send, "other", other)
    assert {a.status for a in answers["plain"] + answers["other"]} == {200}
    assert {(a.status, a.body) for a in answers["foreign"]} == {
        (400, b'{"reason":"TopicDisallowed"}')
    }
    assert len(fast.ledger) == 1400


async def test_a_key_revoked_in_the_middle_is_noticed(
    fast: FastApnsSimulator, sender: Sender, key: SigningKey
) -> None:
    assert {a.status for a in await sender.send([stamp(n) for n in range(50)])} == {200}
    fast.account.revoke_key(key.team_key.key_id)
    answers = await sender.send([stamp(n) for n in range(50)])
    assert {(a.status, a.body) for a in answers} == {(403, b'{"reason":"InvalidProviderToken"}')}
    fast.account.add_key(key.team_key)
    assert {a.status for a in await sender.send([stamp(n) for n in range(50)])} == {200}


async def test_a_scripted_fault_is_met_and_nothing_is_lost_on_the_way(
    fast: FastApnsSimulator, sender: Sender
) -> None:
    assert {a.status for a in await sender.send([stamp(n) for n in range(50)])} == {200}
    fast.faults.script(ScriptedAnswer(503, "ServiceUnavailable"), times=3)
    answers = await sender.send([stamp(n) for n in range(50, 150)])
    assert sorted(a.status for a in answers) == [200] * 97 + [503] * 3
    assert fast.ledger.summary().duplicates == 0
    assert len(fast.ledger) == 147


async def test_a_stranger_is_served_too(fast: FastApnsSimulator, key: SigningKey) -> None:
    context = ssl.create_default_context(cadata=fast.ca_pem)
    headers = {"authorization": f"bearer {key.mint(time.time())}", "apns-topic": TOPIC}
    async with httpx.AsyncClient(http2=True, verify=context, trust_env=False) as client:
        url = f"{fast.url}/3/device/"
        for number in range(20):
            answer = await client.post(f"{url}{number:064x}", headers=headers, content=BODY)
            assert answer.status_code == 200
            assert len(answer.headers["apns-id"]) == 36
        assert (await client.get(url, headers=headers)).status_code == 405
        assert (await client.post(url, headers=headers)).json() == {"reason": "MissingDeviceToken"}
    assert len(fast.ledger) == 20


@pytest.mark.parametrize("noise", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello"])
async def test_who_speaks_no_tls_is_shown_out(fast: FastApnsSimulator, noise: bytes) -> None:
    stream = await trio.open_tcp_stream("127.0.0.1", fast.port)
    with trio.fail_after(10):
        await stream.send_all(noise) if noise else await stream.send_eof()
        while await stream.receive_some():
            pass
        await stream.aclose()
        while fast.connections:
            await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("fast", [{"habits": Habits(idle_timeout=0.2, linger=0.1)}], indirect=True)
async def test_an_idle_connection_is_shown_out_and_another_opened(
    fast: FastApnsSimulator, sender: Sender
) -> None:
    assert {a.status for a in await sender.send([stamp(1)])} == {200}
    with trio.fail_after(20):
        while fast.connections:
            await trio.sleep(0.01)
    assert {a.status for a in await sender.send([stamp(2)])} == {200}
    assert fast.connections_total == 2


@pytest.mark.parametrize("fast", [{"habits": Habits(handshake_timeout=0.1)}], indirect=True)
async def test_who_says_nothing_at_all_is_shown_out(fast: FastApnsSimulator) -> None:
    stream = await trio.open_tcp_stream("127.0.0.1", fast.port)
    with trio.fail_after(20):
        assert not await stream.receive_some()
    await stream.aclose()


@pytest.mark.parametrize("fast", [{"delay": 0.2, "habits": Habits(streams=40)}], indirect=True)
async def test_answers_take_their_time_and_streams_their_limit(
    fast: FastApnsSimulator, sender: Sender
) -> None:
    begun = time.monotonic()
    answers = await sender.send([stamp(number) for number in range(80)])
    assert {a.status for a in answers} == {200}
    assert time.monotonic() - begun >= 0.2  # that it is no longer depends on the machine
    assert fast.connections_total <= 2

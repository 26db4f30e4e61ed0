"""The HTTP/1.1 client against real sockets: answers, losses, limits, and who is never called."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.transport import Network
from booper.wire import Answer, Lost, Outlet, Reply, Request
from tests.booper.transport.conftest import EvenDice
from tests.booper.transport.web import OK, Asked, Web, one, served

if TYPE_CHECKING:
    from tests.booper.transport.certificates import Authority

pytestmark = pytest.mark.real


async def test_a_request_goes_out_as_it_is_and_its_answer_comes_back(authority: Authority) -> None:
    async with served(authority) as (web, client):
        answer = await one(
            client, f"{web.url}/topic?up=1", headers=(("X-Word", "yes"),), body=b"hello"
        )
        assert isinstance(answer, Reply)
        assert (answer.status, answer.body) == (200, b"ok")
        assert answer.header(b"content-length") == b"2"
        (asked,) = web.asked
        assert (asked.method, asked.target, asked.body) == (b"POST", b"/topic?up=1", b"hello")
        assert asked.header(b"host") == [f"localhost:{web.port}".encode()]
        assert asked.header(b"x-word") == [b"yes"]
        assert asked.header(b"content-length") == [b"5"]
        assert asked.header(b"accept-encoding") == [b"identity"]


async def test_many_requests_share_few_connections_and_keep_their_order(
    authority: Authority,
) -> None:
    async def echo(asked: Asked, stream: trio.abc.Stream) -> None:
        await stream.send_all(
            b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(asked.body), asked.body)
        )

    async with served(authority, echo, max_connections=3) as (web, client):
        requests = [Request("POST", f"{web.url}/", body=b"%d" % n) for n in range(50)]
        answers = await client.send(requests, timeout=5)
        assert [a.body for a in answers if isinstance(a, Reply)] == [b"%d" % n for n in range(50)]
        assert web.most <= 3
        assert web.opened <= 3


async def test_a_connection_that_cannot_be_made_was_never_used(authority: Authority) -> None:
    async with served(authority) as (web, client):
        (listener, *_) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        await listener.aclose()
        answer = await one(client, f"https://localhost:{port}/")
        assert isinstance(answer, Lost)
        assert (answer.sent, answer.reason) == (False, "connect_failed")
        answer = await one(client, f"https://127.0.0.1:{web.port}/")
        assert isinstance(answer, Lost)
        assert not answer.sent, "the certificate is for localhost"
        assert "certificate" in answer.detail
        assert web.asked == []


async def test_a_certificate_nobody_vouches_for_is_refused(authority: Authority) -> None:
    web = Web(authority.server(alpn=("http/1.1",)))
    async with trio.open_nursery() as nursery:
        await nursery.start(web.serve)
        client = Network(EvenDice()).client(Outlet())
        answer = await one(client, web.url, body=b"secret")
        assert answer == Lost(False, "connect_failed", answer.detail)  # type: ignore[union-attr]
        missing = Network(EvenDice()).client(Outlet(ca_file="/nowhere/ca.pem"))
        answer = await one(missing, web.url)
        assert isinstance(answer, Lost)
        assert (answer.sent, answer.reason) == (False, "connect_failed")
        assert web.asked == []
        nursery.cancel_scope.cancel()


async def test_a_request_that_left_and_got_no_answer_may_have_been_processed() -> None:
    async def hangup(asked: Asked, stream: trio.abc.Stream) -> None:
        await trio.aclose_forcefully(stream)

    async with served(None, hangup) as (web, client):
        answer = await one(client, web.url)
        assert isinstance(answer, Lost)
        assert answer.sent
        assert answer.reason in ("protocol_error", "reset")


async def test_after_the_timeout_everything_is_lost_and_says_whether_it_left() -> None:
    async def never(asked: Asked, stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    async with served(None, never, max_connections=2) as (web, client):
        answers = await client.send([Request("POST", web.url)] * 4, timeout=0.3)
        assert [type(answer) for answer in answers] == [Lost] * 4
        lost = [answer for answer in answers if isinstance(answer, Lost)]
        assert sorted(answer.sent for answer in lost) == [False, False, True, True]
        assert {answer.reason for answer in lost} == {"deadline"}


async def test_a_cancelled_caller_leaves_the_others_alone() -> None:
    gate = trio.Event()

    async def late(asked: Asked, stream: trio.abc.Stream) -> None:
        await gate.wait()
        await stream.send_all(OK)

    async with served(None, late) as (web, client), trio.open_nursery() as nursery:
        found: list[Answer] = []

        async def caller() -> None:
            found.append(await one(client, web.url))

        nursery.start_soon(caller)
        with trio.move_on_after(0.1) as scope:
            await one(client, web.url)
        assert scope.cancelled_caught
        gate.set()
        nursery.cancel_scope.deadline = trio.current_time() + 5
        while not found:
            await trio.sleep(0.01)
        assert isinstance(found[0], Reply)


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async def away(asked: Asked, stream: trio.abc.Stream) -> None:
        await stream.send_all(
            b"HTTP/1.1 307 Go\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"
        )

    async with served(None, away) as (web, client):
        answer = await one(client, web.url)
        assert isinstance(answer, Reply)
        assert answer.status == 307
        assert len(web.asked) == 1


async def test_a_long_body_is_cut_and_a_packed_one_is_left_packed() -> None:
    packed = gzip.compress(bytes(10_000_000))

    async def answers(asked: Asked, stream: trio.abc.Stream) -> None:
        if asked.target == b"/bomb":
            await stream.send_all(
                b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b"
                % (len(packed), packed)
            )
            return
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send_all(b"x" * 65536)

    async with served(None, answers) as (web, client):
        bomb = await one(client, f"{web.url}/bomb")
        assert isinstance(bomb, Reply)
        assert bomb.body == packed
        endless = await one(client, f"{web.url}/endless")
        assert isinstance(endless, Reply)
        assert len(endless.body) == 65_536


@pytest.mark.parametrize(
    "junk",
    [
        b"junk\r\n\r\n",
        b"HTTP/1.1 999999 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"\x00\x01\x02\r\n\r\n",
    ],
)
async def test_a_peer_that_talks_nonsense_costs_only_its_own_answer(junk: bytes) -> None:
    async def nonsense(asked: Asked, stream: trio.abc.Stream) -> None:
        await stream.send_all(junk if asked.target == b"/junk" else OK)
        if asked.target == b"/junk":
            await trio.aclose_forcefully(stream)

    async with served(None, nonsense) as (web, client):
        urls = [f"{web.url}/junk", f"{web.url}/fine"]
        first, second = await client.send([Request("POST", url) for url in urls], timeout=5)
        assert isinstance(first, Lost)
        assert first.sent
        assert "\\x" not in first.detail
        assert isinstance(second, Reply)


@pytest.mark.parametrize(
    "fields",
    [
        {"headers": (("X", "a\r\nInjected: yes"),)},
        {"headers": (("X\r\nY", "a"),)},
        {"headers": (("X", "schlüssel"),)},
        {"method": "PO ST"},
        {"method": "PÖST"},
        {"url": "http://localhost:1\r\n/"},
        {"url": "junk"},
    ],
)
async def test_a_request_that_breaks_the_line_is_never_sent(fields: dict[str, Any]) -> None:
    async with served(None) as (web, client):
        fields.setdefault("url", web.url)
        answer = await one(client, **fields)
        assert isinstance(answer, Lost)
        assert answer.reason in ("invalid_request", "invalid_url")
        assert "schl" not in answer.detail
        assert "Injected" not in answer.detail
        assert web.asked == []
        assert isinstance(await one(client, web.url), Reply), "the client goes on"


async def test_closing_lets_what_is_in_flight_end() -> None:
    gate = trio.Event()

    async def late(asked: Asked, stream: trio.abc.Stream) -> None:
        gate.set()
        await trio.sleep(0.05)
        await stream.send_all(OK)

    async with served(None, late) as (web, client):
        found: list[Answer] = []

        async def caller() -> None:
            found.append(await one(client, web.url))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller)
            await gate.wait()
            await client.aclose()
            assert isinstance(found[0], Reply)
        refused = await one(client, web.url)
        assert isinstance(refused, Lost)
        assert (refused.sent, refused.reason) == (False, "closed")


async def test_idle_connections_are_closed() -> None:
    async with served(None, idle_timeout=0.05) as (web, client), trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        assert isinstance(await one(client, web.url), Reply)
        with trio.fail_after(5):
            while web.open:
                await trio.sleep(0.01)
        assert isinstance(await one(client, web.url), Reply), "and opened again when needed"
        await client.aclose()


def test_a_request_shows_no_secret() -> None:
    request = Request("POST", "https://u:pw@push.example/secret", (("a", "secret"),), b"secret")
    assert repr(request) == "Request(POST https://push.example, 6 bytes)"
    assert "secret" not in repr([request])

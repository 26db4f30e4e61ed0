"""The front on raw sockets: what keeps it well among clients of every kind."""

from __future__ import annotations

import random
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import pytest
import trio

from booper.settings import Http
from tests.booper.api.sockets import QUICK, Front, get, listening, post
from tests.booper.store.seeds import listeners, registration, rows

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
HELLO = post("/api/notify", {"channel": "news", "title": "Hello"})


async def subscribe(front: Front) -> None:
    """Somebody listens, so that notifications are taken."""
    await front.database.write(listeners, [registration(1)])


async def counted(front: Front) -> int:
    """How many notifications are written; each must be whole."""
    ((taken, waiting),) = await rows(
        front.database,
        "SELECT (SELECT count(*) FROM notifications), (SELECT count(*) FROM fanouts)",
    )
    assert taken == waiting, "half a notification"
    return int(taken)


async def test_an_idle_connection_is_closed_after_its_first_answer(tmp_path: Path) -> None:
    async with listening(tmp_path) as front:
        caller = await front.call()
        await caller.send(get("/healthz"))
        assert (await caller.answer()).status == 200
        assert await caller.closed() == b""
        silent = await front.call()
        assert await silent.closed() == b"", "one that never asks is closed too"


async def test_a_connection_that_is_used_stays_open(tmp_path: Path) -> None:
    async with listening(tmp_path) as front:
        caller = await front.call()
        for _ in range(5):  # longer than idle_timeout in all
            await caller.send(get("/healthz"))
            assert (await caller.answer()).status == 200
            await trio.sleep(0.15)


async def test_pipelined_requests_are_all_answered_in_order(tmp_path: Path) -> None:
    async with listening(tmp_path) as front:
        await subscribe(front)
        caller = await front.call()
        asked = [get("/healthz"), HELLO, get("/nowhere"), HELLO, get("/healthz")]
        await caller.send(b"".join(asked))
        found = [(await caller.answer()).status for _ in asked]
        assert found == [200, 202, 404, 202, 200]
        assert await counted(front) == 2


async def test_connection_close_is_obeyed_at_once(tmp_path: Path) -> None:
    patient = msgspec.structs.replace(QUICK, idle_timeout=60.0)
    async with listening(tmp_path, patient) as front:
        for request in (get("/healthz", "Connection: close"), get("/x", "Connection: close")):
            caller = await front.call()
            await caller.send(request)
            assert (await caller.answer()).headers["connection"] == "close"
            assert await caller.closed() == b""


async def test_after_413_the_rest_is_not_taken_for_a_request(tmp_path: Path) -> None:
    async with listening(tmp_path) as front:
        await subscribe(front)
        caller = await front.call()
        hidden = b"x" * 3000 + HELLO  # a request inside the body of another
        await caller.send(post("/api/notify", hidden) + HELLO)
        assert (await caller.answer()).problem == "body_too_large"
        await caller.closed()
        assert await counted(front) <= 1, "the body was read as a request"
        assert (await front.ask(HELLO)).status == 202


async def test_a_body_of_unknown_length_is_bounded_too(tmp_path: Path) -> None:
    async with listening(tmp_path) as front:
        caller = await front.call()
        head = get("/api/notify", "Content-Type: application/json", "Transfer-Encoding: chunked")
        await caller.send(head.replace(b"GET", b"POST", 1))
        for _ in range(4):
            await caller.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
        assert (await caller.answer()).problem == "body_too_large"
        await front.lives()


async def test_slow_headers_are_closed(tmp_path: Path) -> None:
    async with listening(tmp_path) as front:
        caller = await front.call()
        await caller.send(get("/healthz")[:-2])
        await caller.closed()
        dripping = await front.call()
        with trio.fail_after(10), suppress(trio.BrokenResourceError):
            while True:
                await dripping.send(b"X")
                await trio.sleep(0.05)
        await front.lives()


async def test_a_slow_body_is_a_timeout_even_if_it_drips(tmp_path: Path) -> None:
    async with listening(tmp_path) as front:
        await subscribe(front)
        caller = await front.call()
        await caller.send(HELLO[:-9])
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:

                async def drip() -> None:
                    try:
                        while True:
                            await trio.sleep(0.15)
                            await caller.send(b" ")
                    except trio.BrokenResourceError:
                        pass

                nursery.start_soon(drip)
                assert (await caller.answer()).problem == "body_timeout"
                nursery.cancel_scope.cancel()
        assert await counted(front) == 0
        await front.lives()


@pytest.mark.parametrize("headers", [("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings"), ()])
async def test_an_offer_of_http2_is_ignored(tmp_path: Path, headers: tuple[str, ...]) -> None:
    async with listening(tmp_path) as front:
        settings = ("HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",)
        answer = await front.ask(get("/healthz", *headers, *settings))
        assert (answer.status, answer.body) == (200, b'{"status":"alive"}')


async def test_a_client_that_speaks_http2_is_closed_and_the_server_lives(tmp_path: Path) -> None:
    async with listening(tmp_path) as front:
        for _ in range(10):
            caller = await front.call()
            await caller.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
            assert await caller.closed() == b""
        await front.lives()


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/3.7\r\nHost: a\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: [::1\r\n\r\n",
        get("/healthz", "Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"POST /api/notify HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/notify HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /api/notify HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/notify HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"\0" * 40_000,
        b"\r\n" * 10_000,
    ],
    ids=range(17),
)
async def test_what_is_no_http_gets_a_4xx_or_an_end(tmp_path: Path, junk: bytes) -> None:
    async with listening(tmp_path) as front:
        caller = await front.call()
        await caller.send(junk)
        found = await caller.closed()
        assert b" 500 " not in found[:15]
        assert found[:10] in (b"", b"HTTP/1.1 4", b"HTTP/1.1 2") or b"501" in found[:15], found[:80]
        await front.lives()


async def test_more_connections_than_there_is_room_are_closed_at_once(tmp_path: Path) -> None:
    http = Http(port=0, idle_timeout=30.0, max_connections=20)
    async with listening(tmp_path, http) as front:
        inside = [await front.call() for _ in range(20)]
        for caller in inside:
            await caller.send(get("/healthz"))
            assert (await caller.answer()).status == 200
        outside = [await front.call() for _ in range(200)]
        for caller in outside:
            assert await caller.closed() == b""
        for caller in inside:
            await caller.send(get("/healthz"))
            assert (await caller.answer()).status == 200
        await inside[0].stream.aclose()
        with trio.fail_after(10):
            while True:
                newcomer = await front.call()
                try:
                    await newcomer.send(get("/healthz"))
                    if (await newcomer.stream.receive_some()).startswith(b"HTTP/1.1 200"):
                        break
                except trio.BrokenResourceError:
                    pass
                await trio.sleep(0.01)


async def test_a_reset_anywhere_leaves_a_whole_notification_or_none(tmp_path: Path) -> None:
    dice = random.Random(20_261_121)
    async with listening(tmp_path) as front:
        await subscribe(front)
        for number in range(200):
            caller = await front.call()
            hello = post("/api/notify", {"channel": "news", "title": f"Hello {number}"})
            await caller.send(hello[: dice.choice([dice.randrange(len(hello)), len(hello)])])
            for _ in range(dice.randrange(30)):
                await trio.lowlevel.checkpoint()
            caller.reset()
            await counted(front)
        total, calm = await counted(front), 0
        while calm < 20:  # round trips in which no request came in late
            await front.lives()
            calm = calm + 1 if await counted(front) == total else 0
            total = await counted(front)
        assert 0 < total < 200, "all or none were cut: the test shows little"
        contents = await rows(front.database, "SELECT DISTINCT content FROM notifications")
        assert len(contents) == total, "one request was written twice"
        assert (await front.ask(HELLO)).status == 202
        assert await counted(front) == total + 1


async def test_a_locked_store_is_503_and_well_again_without_a_restart(tmp_path: Path) -> None:
    async with listening(tmp_path) as front:
        await subscribe(front)
        other = sqlite3.connect(tmp_path / "b.sqlite3", isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            answer = await front.ask(HELLO)
            assert (answer.status, answer.problem) == (503, "store_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            await front.lives()
            other.execute("ROLLBACK")
        finally:
            other.close()
        assert await counted(front) == 0, "a notification that was refused is there"
        assert (await front.ask(HELLO)).status == 202
        assert await counted(front) == 1


async def test_a_client_that_never_reads_cannot_keep_the_front_from_stopping(
    tmp_path: Path,
) -> None:
    async with listening(tmp_path) as front:
        caller = await front.call()
        with trio.move_on_after(10), suppress(trio.BrokenResourceError):
            while True:  # answers pile up in the sockets until nobody can write any more
                await caller.send(get("/nowhere") * 50)
        await front.lives()


async def test_stopping_ends_idle_connections_and_lets_requests_finish(tmp_path: Path) -> None:
    http = msgspec.structs.replace(QUICK, idle_timeout=60.0, body_timeout=60.0)
    async with listening(tmp_path, http, grace=5.0) as front:
        await subscribe(front)
        idle, busy = await front.call(), await front.call()
        await idle.send(get("/healthz"))
        await idle.answer()
        await busy.send(HELLO[:-5])
        await trio.sleep(0.05)  # until its headers have arrived
        front.stop()
        await idle.closed()
        await busy.send(HELLO[-5:])
        assert (await busy.answer()).status == 202
        await busy.closed()
        with pytest.raises(OSError, match="connect"):
            await front.call()

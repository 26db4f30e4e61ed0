"""An exchange: however a request arrives, whole, in pieces, late or never, it is answered once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.api.exchange import PROMPT
from booper.settings import Http
from tests.booper.api.sockets import QUICK, get, listening, post
from tests.booper.store.seeds import listeners, registration, rows

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
HELLO = post("/api/notify", {"channel": "news", "title": "Hello"})
PATIENT = Http(port=0, idle_timeout=5.0, body_timeout=5.0, max_body=2048)


@pytest.mark.parametrize("pause", [0.0, 3 * PROMPT])
@pytest.mark.parametrize("cut", [len(HELLO) - 1, len(HELLO) - 9, HELLO.index(b"{"), 40])
async def test_a_request_in_two_parts_is_answered_once(
    tmp_path: Path, cut: int, pause: float
) -> None:
    async with listening(tmp_path, PATIENT) as front:
        await front.database.write(listeners, [registration(1)])
        caller = await front.call()
        for _ in range(2):  # and the connection is good for another one
            await caller.send(HELLO[:cut])
            await trio.sleep(pause)
            await caller.send(HELLO[cut:])
            assert (await caller.answer()).status == 202
        await caller.send(get("/healthz"))
        assert (await caller.answer()).status == 200
        assert await rows(front.database, "SELECT count(*) FROM notifications") == [(2,)]


@pytest.mark.parametrize("pause", [0.0, 3 * PROMPT])
async def test_who_leaves_amid_a_request_leaves_nothing(tmp_path: Path, pause: float) -> None:
    async with listening(tmp_path) as front:
        await front.database.write(listeners, [registration(1)])
        for leave in ("close", "reset"):
            caller = await front.call()
            await caller.send(HELLO[:-9])
            await trio.sleep(pause)
            if leave == "close":
                await caller.stream.aclose()
            else:
                caller.reset()
        await front.lives()
        assert await rows(front.database, "SELECT count(*) FROM notifications") == [(0,)]


async def test_who_leaves_once_all_is_said_is_heard(tmp_path: Path) -> None:
    async with listening(tmp_path) as front:
        await front.database.write(listeners, [registration(1)])
        caller = await front.call()
        await caller.send(HELLO)
        await caller.stream.aclose()
        with trio.fail_after(10):
            while await rows(front.database, "SELECT count(*) FROM notifications") != [(1,)]:
                await trio.sleep(0.01)
        await front.lives()


async def test_a_head_has_no_body_and_the_connection_goes_on(tmp_path: Path) -> None:
    async with listening(tmp_path, QUICK) as front:
        caller = await front.call()
        await caller.send(get("/healthz").replace(b"GET", b"HEAD", 1))
        with trio.fail_after(10):
            head = b""
            while b"\r\n\r\n" not in head:
                head += await caller.stream.receive_some(65_536)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert head.endswith(b"\r\n\r\n")
        await caller.send(get("/healthz"))
        assert (await caller.answer()).status == 200

"""Limits are exact to one in ten seconds, however hard they are tried: in one process, and across
two that share a Redis."""

from __future__ import annotations

import os
import statistics
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest
import trio

from tests.booper.api.door import HandClock, door
from tests.booper.api.test_limits import statuses
from tests.booper.api.test_notify import listens
from tests.booper.cli.test_serve import Serve

if TYPE_CHECKING:
    from pathlib import Path

RATE = BURST = 10
HELLO = {"channel": f"exact-{os.getpid()}", "title": "t"}  # nobody else uses this one
SECONDS = 10.0
DEVICE = {"provider": "apns", "device_token": "ab" * 32}


async def test_in_one_process_to_the_last_one(tmp_path: Path) -> None:
    """Ten seconds by a clock of our own: five at once, every 40 ms."""
    clock = HandClock()
    async with door(tmp_path, clock=clock) as house:
        await listens(house, await house.device(), HELLO["channel"])
        found: list[int] = []
        begin = clock.now
        for step in range(251):
            clock.now = begin + 0.04 * step
            found += await statuses(house, 5, HELLO)
        assert clock.now - begin == pytest.approx(SECONDS)
        assert abs(found.count(202) - (BURST + RATE * SECONDS)) <= 1
        assert set(found) == {202, 429}


class Hit(NamedTuple):
    """One request: when it was asked and answered, and what."""

    asked: float
    answered: float
    status: int
    headers: httpx.Headers


async def hammer(url: str, until: float, hits: list[Hit]) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        while (asked := trio.current_time()) < until:
            answer = await client.post("/api/notify", json=HELLO)
            hits.append(Hit(asked, trio.current_time(), answer.status_code, answer.headers))


async def hammered(urls: list[str]) -> list[Hit]:
    """What they answer in ten seconds to four callers each, who ask again at once."""
    hits: list[Hit] = []
    until = trio.current_time() + SECONDS
    async with trio.open_nursery() as nursery:
        for url in urls * 4:
            nursery.start_soon(hammer, url, until, hits)
    return hits


def check(hits: list[Hit]) -> None:
    """As many as the time between the first and the last request allows, to one.

    A server counts at some moment between question and answer, so the time it has seen is known as
    well as that; the two ends are all that is not.
    """
    taken = [hit for hit in hits if hit.status == 202]
    refused = [hit for hit in hits if hit.status == 429]
    assert len(taken) + len(refused) == len(hits)
    first, last = min(hit.asked for hit in hits), max(hit.answered for hit in hits)
    begun, ended = min(hit.answered for hit in hits), max(hit.asked for hit in hits)
    most, least = BURST + RATE * (last - first) + 1, BURST + RATE * (ended - begun) - 1
    assert least <= len(taken) <= most
    assert len(refused) > len(taken), "it was not tried hard enough"
    for hit in refused:
        assert (hit.headers["retry-after"], hit.headers["ratelimit-remaining"]) == ("1", "0")
    left = [int(hit.headers["ratelimit-remaining"]) for hit in taken]
    assert max(left) == BURST - 1
    assert statistics.median(left) == 0


@pytest.mark.real
@pytest.mark.slow
async def test_of_two_processes_that_share_a_redis_and_of_one_alone(
    tmp_path: Path, redis_server: str
) -> None:
    async with AsyncExitStack() as stack:
        urls = []
        for number in range(3):
            folder = tmp_path / str(number)
            folder.mkdir()
            shared = {"BOOPER_REDIS": redis_server} if number < 2 else {}
            more = {"BOOPER_PUBLIC__PER_ADDRESS": "0"}  # the channel's limit alone
            url = (await stack.enter_async_context(Serve(folder, **shared, **more))).url
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                device = (await client.post("/api/devices", json=DEVICE)).json()["id"]
                body = {"channel": HELLO["channel"], "device_id": device}
                assert (await client.post("/api/subscriptions", json=body)).status_code == 201
            urls.append(url)
        found: dict[str, list[Hit]] = {}

        async def one(name: str, *them: str) -> None:
            found[name] = await hammered([*them])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "shared", *urls[:2])
            nursery.start_soon(one, "alone", urls[2])
    for hits in found.values():
        check(hits)

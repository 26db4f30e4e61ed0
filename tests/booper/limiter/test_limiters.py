"""Both limiters keep the same promises; the shared one also across nodes and outages."""

from __future__ import annotations

import itertools
import random
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest
import redis
import trio

from booper.clock import SystemClock
from booper.domain.errors import Misconfigured
from booper.domain.limit import Limit
from booper.limiter import MemoryLimiter, open_redis_limiter
from booper.limiter.redis import PREFIX
from tests.booper import servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from booper.domain.limit import Verdict
    from booper.limiter import RedisLimiter
    from booper.ports import Limiter

pytestmark = pytest.mark.real
_numbers = itertools.count()
SLOW = 1e-3  # a second: nothing comes back while a test runs


def fresh(burst: int = 10, rate: float = SLOW) -> Limit:
    return Limit(f"test-{next(_numbers)}", rate, burst)


@pytest.fixture(params=["memory", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "redis":
        request.getfixturevalue("redis_server")
    return str(request.param)


@pytest.fixture
async def limiter(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Limiter]:
    if kind == "memory":
        yield MemoryLimiter(SystemClock())
    else:
        url = request.getfixturevalue("redis_server")
        async with open_redis_limiter(url, SystemClock()) as shared:
            yield shared


async def allowed(limiter: Limiter, limit: Limit, callers: int) -> list[Verdict]:
    verdicts: list[Verdict] = []

    async def one() -> None:
        verdicts.extend(await limiter.take([limit]))

    async with trio.open_nursery() as nursery:
        for _ in range(callers):
            nursery.start_soon(one)
    return [verdict for verdict in verdicts if verdict.allowed]


async def degraded(limiter: RedisLimiter) -> bool:
    return limiter.degraded


async def test_parallel_callers_get_exactly_the_burst(limiter: Limiter) -> None:
    passed = await allowed(limiter, fresh(10), 200)
    assert sorted(verdict.remaining for verdict in passed) == list(range(10))


async def test_all_limits_allow_it_or_none_is_used(limiter: Limiter) -> None:
    wide, narrow = fresh(10), fresh(1)
    assert [v.allowed for v in await limiter.take([wide, narrow])] == [True, True]
    for _ in range(5):
        assert [v.allowed for v in await limiter.take([wide, narrow])] == [True, False]
    (left,) = await limiter.take([wide])
    assert left.remaining == 8, "a refusal by one limit used up another"


async def test_a_refusal_says_how_long_to_wait_and_a_cost_above_the_burst_never_passes(
    limiter: Limiter,
) -> None:
    limit = fresh(3, rate=1 / 60)
    assert all(v.allowed for v in await limiter.take([limit], 3))
    (refused,) = await limiter.take([limit])
    assert not refused.allowed
    assert refused.retry_after == pytest.approx(60, abs=5)
    assert refused.reset_after == pytest.approx(180, abs=5)
    (never,) = await limiter.take([fresh(3)], 4)
    assert not never.allowed
    assert never.retry_after == float("inf")


async def test_keys_do_not_share(limiter: Limiter) -> None:
    assert len(await allowed(limiter, fresh(2), 5)) == 2
    assert len(await allowed(limiter, fresh(2), 5)) == 2


async def test_what_is_taken_comes_back_at_the_rate(limiter: Limiter) -> None:
    limit = fresh(1, rate=50.0)
    assert len(await allowed(limiter, limit, 3)) == 1
    with trio.fail_after(5):
        while not (await limiter.take([limit]))[0].allowed:
            await trio.sleep(0.005)


async def test_memory_is_bounded() -> None:
    limiter = MemoryLimiter(SystemClock(), keys=100)
    for _ in range(1000):
        await limiter.take([fresh(1)])
    assert len(limiter._paid_until) <= 100


async def test_two_nodes_share_one_count(redis_server: str) -> None:
    limit, passed = fresh(25), []

    async def node() -> None:
        async with open_redis_limiter(redis_server, SystemClock()) as limiter:
            passed.extend(await allowed(limiter, limit, 100))

    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(node)
    assert len(passed) == 25


async def test_without_redis_a_node_counts_for_itself_and_comes_back() -> None:
    with servers.redis() as url:
        if url is None or (server := servers.running_redis()) is None:
            pytest.skip("NOT RUN: no redis-server program to stop and start")
        async with open_redis_limiter(url, SystemClock()) as limiter:
            assert len(await allowed(limiter, fresh(5), 20)) == 5
            server.stop()
            assert len(await allowed(limiter, fresh(5), 20)) == 5
            assert await degraded(limiter)
            server.start()
            with trio.fail_after(10):
                while await degraded(limiter):
                    await limiter.take([fresh(1)])
                    await trio.sleep(0.02)
            assert len(await allowed(limiter, fresh(5), 20)) == 5
            assert not await degraded(limiter)


async def test_a_redis_that_hangs_costs_one_patience_and_its_late_replies_reach_nobody() -> None:
    with servers.redis() as url:
        if url is None or (server := servers.running_redis()) is None:
            pytest.skip("NOT RUN: no redis-server program to stop and continue")
        async with open_redis_limiter(url, SystemClock()) as limiter:
            before = fresh(3)
            assert len(await allowed(limiter, before, 5)) == 3
            server.pause()
            try:
                assert len(await allowed(limiter, fresh(5), 20)) == 5
                assert await degraded(limiter)
            finally:
                server.go_on()
            with trio.fail_after(10):
                while await degraded(limiter):
                    await limiter.take([fresh(1)])
                    await trio.sleep(0.02)
            for burst in range(1, 20):  # a late reply of another script would have another shape
                assert len(await allowed(limiter, fresh(burst), 30)) == burst
            assert await allowed(limiter, before, 5) == []


async def junk(stream: trio.SocketStream) -> None:
    async with stream:  # a client that has had enough may reset the connection
        with_luck = [b"+OK\r\n", b"*1\r\n:7\r\n", b"$5\r\nhello\r\n", b"\x00\xff\r\n"]
        with suppress(trio.BrokenResourceError):
            for answer in itertools.cycle(with_luck):
                if not await stream.receive_some(65_536):
                    return
                await stream.send_all(answer * 3)


async def test_a_redis_that_talks_junk_is_an_outage_too() -> None:
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, junk, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        async with open_redis_limiter(f"redis://127.0.0.1:{port}", SystemClock()) as limiter:
            assert len(await allowed(limiter, fresh(4), 10)) == 4
            assert await degraded(limiter)
        nursery.cancel_scope.cancel()


async def test_a_cancelled_caller_disturbs_nobody(redis_server: str) -> None:
    async with open_redis_limiter(redis_server, SystemClock()) as limiter:
        for point in range(40):
            limit = fresh(10)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(limiter.take, [fresh(1)])
                for _ in range(point % 7):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            assert len(await allowed(limiter, limit, 12)) == 10
        assert not await degraded(limiter)


async def test_replies_never_cross_whoever_is_cancelled_meanwhile(redis_server: str) -> None:
    """T14: at two hundred moments; every burst is another, so another's reply would show."""
    dice, wrong = random.Random(14), []

    async def one(limiter: RedisLimiter, burst: int) -> None:
        (verdict,) = await limiter.take([fresh(burst)])
        if verdict.remaining != burst - 1:
            wrong.append((burst, verdict))

    async with open_redis_limiter(redis_server, SystemClock()) as limiter:
        for number in range(200):
            async with trio.open_nursery() as nursery:
                for other in range(5):
                    nursery.start_soon(one, limiter, 10 * number + other + 2)
                with trio.move_on_after(dice.random() * 0.002):
                    await limiter.take([fresh(3)] * (1 + number % 3))
        assert not await degraded(limiter)
    assert wrong == []


async def test_a_redis_that_forgets_everything_begins_anew(redis_server: str) -> None:
    limit = fresh(5)
    async with open_redis_limiter(redis_server, SystemClock()) as limiter:
        assert len(await allowed(limiter, limit, 9)) == 5
        with redis.Redis.from_url(redis_server) as other:
            other.delete(*(other.keys(f"{PREFIX}{limit.key}") or ["none"]))
            other.script_flush()
        assert len(await allowed(limiter, limit, 9)) == 5
        assert not await degraded(limiter)


async def test_a_url_that_is_none_is_a_misconfiguration() -> None:
    with pytest.raises(Misconfigured) as caught:
        async with open_redis_limiter("http://example.org", SystemClock()):
            pass
    assert caught.value.code == "redis_url"

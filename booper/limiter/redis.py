"""The limiter that nodes share: one script in Redis, by Redis's own clock, so no clock can cheat.

Whatever waits when the last exchange ends goes into the next one, as one pipeline; a caller that
is cancelled only stops waiting, so no reply ever reaches another request. If Redis is away, slow,
or answers junk, this node counts for itself until it is back: limits then hold per node, and no
request fails for it.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import redis.asyncio
import redis.exceptions
import structlog
import trio

from booper.bridge import open_bridge, ungrouped
from booper.domain.errors import Misconfigured
from booper.domain.limit import Verdict
from booper.limiter.memory import MemoryLimiter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from booper.bridge import Bridge
    from booper.domain.limit import Limit
    from booper.ports import Clock

log = structlog.get_logger()

GROUP = 256  # callers in one exchange
PATIENCE = 0.5  # seconds one exchange may take
PAUSE = 1.0  # seconds to count for ourselves after a failure before Redis is asked again
PREFIX = "booper:limit:"

# KEYS: one per limit. ARGV: the cost, then interval and tolerance of each, in microseconds.
# All must allow it, else nothing is taken. Answers allowed (0, 1), microseconds to wait (-1: for
# ever) and microseconds owed, for each.
SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local cost = tonumber(ARGV[1])
local answers, after, all = {}, {}, true
for i, key in ipairs(KEYS) do
  local interval, tolerance = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local begin = math.max(tonumber(redis.call('GET', key) or 0), now)
  after[i] = begin + cost * interval
  local wait = after[i] - tolerance - now
  if cost * interval > tolerance + 1 then wait = -1 elseif wait <= 1 then wait = 0 end
  if wait ~= 0 then all = false end
  answers[i] = {wait, begin - now, after[i] - now}
end
for i, key in ipairs(KEYS) do
  if all then
    local life = math.ceil((after[i] - now) / 1000) + 1
    redis.call('SET', key, string.format('%d', after[i]), 'PX', life)
  end
end
local flat = {}
for i, answer in ipairs(answers) do
  flat[3 * i - 2] = answer[1]
  flat[3 * i - 1] = answer[2]
  flat[3 * i] = answer[3]
end
return flat
"""
_TROUBLE = (redis.exceptions.RedisError, OSError, TimeoutError, ValueError, TypeError)


class _Asked(NamedTuple):
    limits: Sequence[Limit]
    cost: int
    verdicts: list[Verdict]
    done: trio.Event


class RedisLimiter:
    """The Limiter port on one Redis. `open_redis_limiter` opens it."""

    def __init__(self, bridge: Bridge, client: redis.asyncio.Redis, clock: Clock) -> None:
        self._bridge = bridge
        self._client = client
        self._clock = clock
        self._alone = MemoryLimiter(clock)
        self._asked: deque[_Asked] = deque()
        self._wanted = trio.Event()
        self._alone_until = -math.inf
        self.degraded = False
        self._script = client.register_script(SCRIPT)

    async def take(self, limits: Sequence[Limit], cost: int = 1) -> list[Verdict]:
        if self._clock.monotonic() < self._alone_until:
            return await self._alone.take(limits, cost)
        asked = _Asked(limits, cost, [], trio.Event())
        self._asked.append(asked)
        self._wanted.set()
        await asked.done.wait()
        return asked.verdicts or await self._alone.take(limits, cost)

    async def run(self) -> None:
        """Exchange with Redis, until cancelled."""
        while True:
            if not self._asked:
                self._wanted = trio.Event()
                await self._wanted.wait()
            group = [self._asked.popleft() for _ in range(min(GROUP, len(self._asked)))]
            try:
                await self._exchange(group)
            finally:
                for asked in group:
                    asked.done.set()

    async def _exchange(self, group: Sequence[_Asked]) -> None:
        try:
            answers = await self._bridge.call(self._ask, group)
            for asked, answer in zip(group, answers, strict=True):
                asked.verdicts[:] = _verdicts(asked.limits, asked.cost, answer)
        except _TROUBLE as error:
            self._alone_until = self._clock.monotonic() + PAUSE
            if not self.degraded:
                log.error("limiter_degraded", why=type(error).__name__, mode="this node alone")
            self.degraded = True
            # A late reply must find nobody: the connections are not used again.
            await self._bridge.call(self._client.connection_pool.disconnect)
        else:
            if self.degraded:
                log.info("limiter_recovered")
            self.degraded = False

    async def _ask(self, group: Sequence[_Asked]) -> list[Any]:
        async with asyncio.timeout(PATIENCE):
            async with self._client.pipeline(transaction=False) as pipeline:
                for asked in group:
                    keys = [PREFIX + limit.key for limit in asked.limits]
                    args: list[int] = [asked.cost]
                    for limit in asked.limits:
                        args += [round(limit.interval * 1e6), round(limit.tolerance * 1e6)]
                    await self._script(keys=keys, args=args, client=pipeline)
                return list(await pipeline.execute())


def _verdicts(limits: Sequence[Limit], cost: int, answer: Any) -> list[Verdict]:
    """What the script said, as verdicts; ValueError or TypeError for anything else."""
    if len(answer) != 3 * len(limits):
        raise ValueError("not our script's answer")
    waits = [int(wait) for wait in answer[::3]]
    allowed = not any(waits)
    found = []
    for limit, wait, before, after in zip(limits, waits, answer[1::3], answer[2::3], strict=True):
        owed = int(after if allowed else before) / 1e6
        left = max(0, math.floor((limit.tolerance - owed) * limit.rate + 1e-3))
        if wait:  # by a hair too early: what is refused cannot be what remains
            left = min(left, cost - 1)
        retry = math.inf if wait < 0 else wait / 1e6
        found.append(Verdict(wait == 0, limit.burst, left, retry, owed))
    return found


@asynccontextmanager
async def open_redis_limiter(url: str, clock: Clock) -> AsyncIterator[RedisLimiter]:
    """A limiter on the Redis at `url` (redis://, rediss:// or unix://).

    Raises Misconfigured for a URL it cannot read. A server that is away is no error: the limiter
    begins degraded, and says so.
    """
    try:
        client = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=None,
            health_check_interval=0,
        )
    except ValueError as error:
        raise Misconfigured(f"The Redis URL: {error}.", code="redis_url") from None
    async with open_bridge() as bridge:
        limiter = RedisLimiter(bridge, client, clock)
        with ungrouped():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(limiter.run)
                try:
                    yield limiter
                finally:
                    nursery.cancel_scope.cancel()
                    with trio.CancelScope(shield=True):
                        await bridge.call(client.aclose)

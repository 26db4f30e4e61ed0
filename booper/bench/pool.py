"""The batch interface: ready stamps through the product's own pool, every status looked at.

Closed loop: lists of LIST stamps, always enough of them under way to keep `streams` streams of one
connection busy. Latency is measured apart, at a moderate load: single requests begun every
millisecond whatever became of those before, from the moment each was due to its answer.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import trio

from booper.bench import job as jobs
from booper.bench.job import Job, Result
from booper.bench.meter import Meter, resident
from booper.clock import SystemDice
from booper.transport import Http2Transport
from booper.wire import Endpoint, Reply, Stamp, Template

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from booper.transport import Pool

LIST = 500  # as many as a batch of the product has
EVERY = 0.001  # seconds between single requests when latency is measured
TIMEOUT = 60.0


def apns(job: Job) -> Result:
    """APNs' requests: the device in the path, a header stamped."""
    place = job.place
    fixed = tuple((k.encode(), v.encode()) for k, v in jobs.headers(place).items())
    authority = f"{place.host}:{place.port}".encode()
    template = Template(authority, b"/3/device/", fixed, stamped=(b"apns-id",))
    body = jobs.body()
    stamps: list[Stamp] = [
        (jobs.device(n).encode(), ((jobs.PUSH_ID % n).encode(),), body) for n in range(jobs.DEVICES)
    ]
    return trio.run(_measure, job, place.port, template, stamps)


def fcm(job: Job) -> Result:
    """FCM's requests: the device in the body, an answer with a body."""
    place = job.place
    fixed = ((b"authorization", b"Bearer " + b"a" * 230), (b"content-type", b"application/json"))
    authority = f"{place.host}:{place.fcm_port}".encode()
    path = f"/v1/projects/{place.fcm_project}/messages:send".encode()
    rest = b'","notification":{"title":"%b","body":"%b"}}}' % (
        jobs.TITLE.encode(),
        jobs.TEXT.encode(),
    )
    stamps: list[Stamp] = [
        (b"", (), b'{"message":{"token":"%b%b' % (jobs.device(n).encode() * 2, rest))
        for n in range(jobs.DEVICES)
    ]
    return trio.run(_measure, job, place.fcm_port, Template(authority, path, fixed), stamps)


async def _measure(job: Job, port: int, template: Template, stamps: list[Stamp]) -> Result:
    place = job.place
    endpoint = Endpoint(
        place.host, port, ca_file=place.ca_file, one_stream_start=True, max_connections=1
    )
    pool = Http2Transport(SystemDice()).pool(endpoint)
    lists = [stamps[at : at + LIST] for at in range(0, len(stamps), LIST)]
    run = Run(pool, template, lists)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        await run.closed(max(job.warmup, 1), 1)
        run.ok = 0
        peak = _Peak(pool)
        nursery.start_soon(peak.watch)
        meter = Meter(place.pid)
        requests = await run.closed(job.requests, -(-2 * job.streams // LIST) + 1)
        meter.stop()
        result = Result(
            requests=requests,
            ok=run.ok,
            seconds=meter.seconds,
            cpu=meter.cpu,
            server_cpu=meter.server_cpu,
            in_flight=peak.value,
            growth_mib=run.growth,
        )
        if job.latency:
            note(result, await latencies(run.single, job.latency))
        await pool.aclose()
        nursery.cancel_scope.cancel()
    return result


class Run:
    """Sends the lists in turn, as often as it takes."""

    def __init__(self, pool: Pool, template: Template, lists: list[list[Stamp]]) -> None:
        self._pool = pool
        self._template = template
        self._lists = lists
        self.ok = 0
        self.growth: float | None = None

    async def closed(self, requests: int, senders: int) -> int:
        """At least so many requests, in whole lists; how many. `growth` is in MiB, last fifth
        against first."""
        turns = -(-requests // LIST)
        early = (turns + 4) // 5
        begun = iter(range(turns))
        memory: list[float] = []

        async def sender() -> None:
            for turn in begun:
                if turn == early:
                    memory.append(resident())
                stamps = self._lists[turn % len(self._lists)]
                answers = await self._pool.send(self._template, stamps, timeout=TIMEOUT)
                statuses = [answer.status for answer in answers if isinstance(answer, Reply)]
                self.ok += statuses.count(200)

        async with trio.open_nursery() as nursery:
            for _ in range(senders):
                nursery.start_soon(sender)
        self.growth = resident() - memory[0] if memory else None
        return turns * LIST

    async def single(self, number: int) -> None:
        stamps = self._lists[number % len(self._lists)][:1]
        await self._pool.send(self._template, stamps, timeout=TIMEOUT)


class _Peak:
    """The most requests seen in flight."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.value = 0

    async def watch(self) -> None:
        while True:
            self.value = max(self.value, self._pool.statistics().in_flight)
            await trio.sleep(0.02)


async def latencies(single: Callable[[int], Awaitable[None]], seconds: float) -> list[float]:
    """Milliseconds from when each was due to its end, one due every EVERY seconds."""
    found: list[float] = []
    begun = trio.current_time()

    async def one(number: int, due: float) -> None:
        await single(number)
        found.append((trio.current_time() - due) * 1000)

    async with trio.open_nursery() as nursery:
        for number in range(int(seconds / EVERY)):
            due = begun + number * EVERY
            await trio.sleep_until(due)
            nursery.start_soon(one, number, due)
    return found


def note(result: Result, found: list[float]) -> None:
    """Put the percentiles into the result."""
    cuts = statistics.quantiles(found, n=100)
    result.p50_ms, result.p99_ms = cuts[49], cuts[98]

"""The front door: what it costs to accept a notification for good, beside a handler that does not.

`booper serve` and the trivial handler run as processes of their own, on the same HTTP server with
the same settings; this process loads them in turns, round by round, so that a noisy machine hurts
them alike, and medians count. An app's key says something to the app's channel: it is
authenticated, counted by the limiter and durable (SQLite with synchronous=FULL; PostgreSQL) before
its 202.

So that the figures are of accepting alone, what is said is for tomorrow, and nothing is fanned out
yet. `due_cpu_us_per_request` is the same for now, all of the fan-out to that channel, which has no
subscribers, included.

The figures: `trivial_…`, and for each database `requests_per_second`, `p50_ms`, `p99_ms`,
`cpu_us_per_request` (user and system time of the server's process; a database server's own is not
in it), `cpu_ratio` (that by the trivial handler's), `notifications_per_second` through the batch
endpoint, `cpu_us_per_notification` there, `batch_p50_ms`, `batch_p99_ms` of a whole batch,
`batch_ratio` (notifications per second of batches by those of single requests), and `lost`: what
was answered with 202 and is not in the database.
"""

from __future__ import annotations

import statistics
import tempfile
from collections import defaultdict
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import trio

from booper.bench import audience, tenant, throwaway
from booper.bench.load import Loaded, load, post
from booper.bench.meter import Meter
from booper.bench.served import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from booper.ports import Database

PATIENCE = 120.0  # seconds for the fan-out to end
BATCHERS = 4  # connections that send batches
_WARM = 100
_SINGLE, _ITEM = b"HTTP/1.1 202 ", b'"status":202'

Rounds = defaultdict[str, list[float]]


class Contender(NamedTuple):
    """A server, and what it is sent: for tomorrow, for now, and many at once."""

    name: str
    url: str
    pid: int
    later: bytes
    due: bytes
    batch: bytes
    database: Database | None


def measure(
    requests: int, batches: int, size: int, rounds: int, connections: int, databases: Sequence[str]
) -> dict[str, float]:
    """The figures. `databases`: "sqlite" and "postgresql" for throw-away ones; those that cannot be
    had are left out."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="booper-bench-")))
        places: dict[str, str] = {}
        for kind in databases:
            if kind == "sqlite":
                places[kind] = f"sqlite:{folder / 'bench.sqlite3'}"
            elif url := stack.enter_context(throwaway.postgresql(durable=True)):
                places[kind] = url
        if not places:
            raise SystemExit("There is no PostgreSQL here.")
        return trio.run(_measure, folder, places, requests, batches, size, rounds, connections)


async def _measure(
    folder: Path,
    places: dict[str, str],
    requests: int,
    batches: int,
    size: int,
    rounds: int,
    connections: int,
) -> dict[str, float]:
    found: Rounds = defaultdict(list)
    accepted: dict[str, int] = defaultdict(int)
    async with AsyncExitStack() as stack:
        url, pid = await stack.enter_async_context(served("booper.bench.trivial"))
        body = post(url, "/api/notify", _said())
        trivial = Contender("trivial", url, pid, body, body, body, None)
        ours = [
            await stack.enter_async_context(_booper(folder, kind, place, size))
            for kind, place in places.items()
        ]
        for one in (trivial, *ours):
            accepted[one.name] += (await _send(one, one.later, _WARM, connections)).good
        for _ in range(rounds):
            loaded = await _send(trivial, trivial.later, requests, connections)
            least = _note(found, trivial, loaded, requests)
            for one in ours:
                accepted[one.name] += await _round(
                    found, one, least, requests, batches, size, connections
                )
        for one in ours:
            if one.database is not None:
                lost = accepted[one.name] - await one.database.read(tenant.stored)
                found[f"{one.name}_lost"] = [lost]
    fixed = {"requests": requests, "batch_size": size, "rounds": rounds, "connections": connections}
    return fixed | {name: statistics.median(values) for name, values in found.items()}


async def _round(
    found: Rounds,
    one: Contender,
    least: float,
    requests: int,
    batches: int,
    size: int,
    connections: int,
) -> int:
    """One database's turn: single ones, single ones until all is fanned out, batches. How many were
    accepted."""
    name = one.name
    singles = await _send(one, one.later, requests, connections)
    found[f"{name}_cpu_ratio"].append(_note(found, one, singles, requests) / least)
    meter = Meter(one.pid)
    due = await _send(one, one.due, requests, connections)
    await _fanned_out(one)
    meter.stop()
    found[f"{name}_due_cpu_us_per_request"].append(1e6 * (meter.server_cpu or 0.0) / requests)
    many = await _send(one, one.batch, batches, BATCHERS, _ITEM)
    count = batches * size
    per_second = count / many.seconds
    found[f"{name}_notifications_per_second"].append(per_second)
    found[f"{name}_cpu_us_per_notification"].append(1e6 * many.cpu / count)
    found[f"{name}_batch_ratio"].append(per_second * singles.seconds / requests)
    _latencies(found, f"{name}_batch", many)
    return singles.good + due.good + many.good


async def _send(
    one: Contender, request: bytes, count: int, connections: int, mark: bytes = _SINGLE
) -> Loaded:
    loaded = await load(one.url, one.pid, request, count, connections, mark)
    if not loaded.good:
        raise SystemExit(f"{one.name} accepts nothing: {loaded.last[:500].decode()}")
    return loaded


async def _fanned_out(one: Contender) -> None:
    if one.database is None:
        return
    with trio.fail_after(PATIENCE):
        while await one.database.read(tenant.waiting) > 0:  # noqa: ASYNC110 - nobody tells us
            await trio.sleep(0.05)


def _note(found: Rounds, one: Contender, loaded: Loaded, count: int) -> float:
    """Keep the figures of single requests; processor µs of each."""
    cpu = 1e6 * loaded.cpu / count
    found[f"{one.name}_requests_per_second"].append(count / loaded.seconds)
    found[f"{one.name}_cpu_us_per_request"].append(cpu)
    _latencies(found, one.name, loaded)
    return cpu


def _latencies(found: Rounds, name: str, loaded: Loaded) -> None:
    times = [1000 * seconds for seconds in loaded.latencies]
    cuts = statistics.quantiles(times * 2, n=100, method="inclusive")
    found[f"{name}_p50_ms"].append(cuts[49])
    found[f"{name}_p99_ms"].append(cuts[98])


@asynccontextmanager
async def _booper(folder: Path, kind: str, place: str, size: int) -> AsyncIterator[Contender]:
    """`booper serve` on that database, with an app that may say as much as it likes."""
    key = await tenant.prepare(place)
    config = folder / f"{kind}.toml"
    config.write_text(
        f'database = "{place}"\nlog_level = "warning"\n[http]\nport = 0\nmax_batch = {size}\n'
        f"[plans.{tenant.PLAN}]\nper_second = 1_000_000_000\n"
        f'[keys]\nbench = "{audience.KEYS["bench"]}"\n'
    )
    who = {"Authorization": f"Bearer {key}"}
    tomorrow = {"scheduled_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    async with (
        served("booper", "serve", "--config", str(config)) as (url, pid),
        tenant.reading(place) as database,
    ):
        yield Contender(
            kind,
            url,
            pid,
            post(url, "/api/notify", _said() | tomorrow, **who),
            post(url, "/api/notify", _said(), **who),
            post(url, "/api/notifications/batch", [_said() | tomorrow] * size, **who),
            database,
        )


def _said() -> dict[str, str]:
    return {
        "channel": tenant.CHANNEL,
        "title": "Hello from Booper",
        "body": "A push of the benchmark",
    }

"""Booper's sender beside others, against one server, in one run: requests per processor second.

Every contender runs in a process of its own on one core, the server in another on the next one;
they take turns, round by round, so that a noisy machine hurts them alike, and medians count. What
is compared is the sender's processor time (user and system) per request, after a warm-up.

The figures: those of the batch interface have no prefix, those of the Instance actor begin with
`instance_`, those of FCM-shaped requests with `batch_fcm_` and `instance_fcm_`, and each rival's
with its name. `ratio_to_X`: how many times our requests per processor second are X's. `client_busy`
and `server_busy`: processor seconds per second. `p50_ms`, `p99_ms`: see `pool` and `actor`.
`growth_mib`: resident memory at the end less that after the first fifth.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from booper.bench.job import Job, Place, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PREFIXES = {
    "batch": "",
    "instance": "instance_",
    "batch_fcm": "batch_fcm_",
    "instance_fcm": "instance_fcm_",
    "aioapns": "aioapns_",
    "httpx": "httpx_",
    "h2load": "h2load_",
}
RIVALS = ("aioapns", "httpx", "h2load")
SHARE = {"aioapns": 40, "httpx": 100}  # a slow one sends so many times fewer requests
_WARM = 5_000
_LATENCY = 1.0
_PATIENCE = 600.0  # seconds a contender may take

Rounds = dict[str, list[Result]]


def measure(
    requests: int = 200_000, streams: int = 1000, rounds: int = 3, place: Place | None = None
) -> dict[str, float]:
    """All contenders, `rounds` times in turn, against our server or the one at `place`."""
    ours, theirs = cores()
    fcm = ["batch_fcm", "instance_fcm"] if place is None else []
    names = ["batch", "instance", *fcm, *(name for name in RIVALS if _installed(name))]
    results: Rounds = {name: [] for name in names}
    for _ in range(rounds):
        with opposite(theirs, streams=streams, place=place) as here:
            for name in names:
                share = SHARE.get(name, 1)
                job = Job(
                    contender=name,
                    place=here,
                    requests=max(requests // share, 1),
                    warmup=max(min(requests, _WARM) // share, 1),
                    streams=streams,
                    core=ours,
                    latency=0.0 if name in RIVALS else _LATENCY,
                )
                results[name].append(perform(job))
    return figures(results)


def measure_delayed(
    requests: int = 100_000, streams: int = 1000, delay: float = 0.05
) -> dict[str, float]:
    """The batch interface alone against a server `delay` seconds away, over one connection.

    `ratio_to_limit` is the throughput divided by streams ÷ delay, which nothing can exceed.
    """
    ours, theirs = cores()
    with opposite(theirs, streams=streams, delay=delay) as place:
        job = Job(
            contender="batch",
            place=place,
            requests=requests,
            warmup=streams,
            streams=streams,
            core=ours,
        )
        result = perform(job)
    limit = streams / delay
    return {
        "requests": result.requests,
        "ok": result.ok,
        "requests_per_second": result.per_second,
        "cpu_us_per_request": result.cpu_us,
        "streams": streams,
        "in_flight": result.in_flight or 0,
        "limit_per_second": limit,
        "ratio_to_limit": result.per_second / limit,
    }


def figures(results: Mapping[str, Sequence[Result]]) -> dict[str, float]:
    """Medians over the rounds; a ratio is the median of the rounds' own ratios."""
    flat: dict[str, float] = {}
    for name, rounds in results.items():
        prefix = PREFIXES[name]
        values = [_plain(result) for result in rounds]
        for key in values[0]:
            flat[prefix + key] = statistics.median(value[key] for value in values)
        if name in RIVALS:
            continue
        for rival in RIVALS:
            if rival in results:
                pairs = zip(results[rival], rounds, strict=True)
                flat[f"{prefix}ratio_to_{rival}"] = statistics.median(
                    theirs.cpu_us / ours.cpu_us for theirs, ours in pairs
                )
    return flat


def _plain(result: Result) -> dict[str, float]:
    server_cpu = result.server_cpu
    found = {
        "requests": result.requests,
        "ok": result.ok,
        "requests_per_second": result.per_second,
        "cpu_us_per_request": result.cpu_us,
        "p50_ms": result.p50_ms,
        "p99_ms": result.p99_ms,
        "client_busy": result.cpu / result.seconds,
        "server_busy": None if server_cpu is None else server_cpu / result.seconds,
        "growth_mib": result.growth_mib,
    }
    return {key: value for key, value in found.items() if value is not None}


def cores() -> tuple[int | None, int | None]:
    """A core for the sender and another for the server, or None for both if there is only one."""
    free = sorted(os.sched_getaffinity(0))
    return (free[0], free[1]) if len(free) > 1 else (None, None)


@contextmanager
def opposite(
    core: int | None, *, streams: int, delay: float = 0.0, place: Place | None = None
) -> Iterator[Place]:
    """The server in a process of its own, ended with the block; nothing if there is a `place`."""
    if place is not None:
        yield place
        return
    with TemporaryDirectory(prefix="booper-bench-") as folder:
        options = [folder, str(-1 if core is None else core), str(delay), str(streams)]
        server = subprocess.Popen(  # noqa: S603  (our own program)
            [sys.executable, "-m", "booper.bench.opposite", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with server:  # closes its standard input, which ends it, and waits
            assert server.stdout is not None  # noqa: S101  (asked for above)
            yield msgspec.json.decode(server.stdout.readline(), type=Place)


def perform(job: Job) -> Result:
    """The job in a process of its own. Raises CalledProcessError if that fails."""
    ended = subprocess.run(
        [sys.executable, "-m", "booper.bench.contender"],
        input=msgspec.json.encode(job),
        stdout=subprocess.PIPE,
        check=True,
        timeout=_PATIENCE,
    )
    return msgspec.json.decode(ended.stdout, type=Result)


def _installed(rival: str) -> bool:
    if rival == "h2load":
        return shutil.which(rival) is not None
    from importlib.util import find_spec

    return find_spec(rival) is not None and (rival != "httpx" or find_spec("h2") is not None)

"""One of five providers goes away under a steady load: what the other four feel, what is made good.

`booper serve` and five simulated Apples run as processes of their own; each instance has one device
and a channel. Something is said to every channel every EVERY seconds, whatever became of what was
said before. After so many seconds one Apple goes away ("unavailable": it answers 503; "silent": it
stops reading and writing, as behind a cut cable), stays away as long, and comes back.

A push's latency is from its 202 to the provider's acceptance. The figures: `before_p95_ms` and
`during_p95_ms` of the other four, and their `ratio`; `pushes`, `lost` (in no ledger), `duplicates`;
`missing` (how many the one away owed when it came back), `made_good_seconds` (until it owed none).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import trio

from booper.clock import SystemClock
from booper.simulators.apart import simulated_apple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from booper.simulators.apart import Apple

NAMES = ("a", "b", "c", "d", "e")
AWAY = "c"
EVERY = 0.2
PATIENCE = 300.0  # seconds for everything to be made good
FAULTS: dict[str, dict[str, Any]] = {
    "unavailable": {"kind": "answer", "status": 503, "reason": "Shutdown"},
    "silent": {"kind": "dead"},
}


def measure(seconds: float, kind: str) -> dict[str, float]:
    """The figures of one run; `kind`: a key of FAULTS."""
    with tempfile.TemporaryDirectory(prefix="booper-bench-") as folder:
        return trio.run(_measure, Path(folder), seconds, FAULTS[kind])


async def _measure(folder: Path, seconds: float, fault: dict[str, Any]) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        apples: dict[str, Apple] = {}
        for name in NAMES:
            own = folder / name
            own.mkdir()
            apples[name] = await stack.enter_async_context(simulated_apple(own, fast=False))
        url = await stack.enter_async_context(_served(_config(folder, apples)))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=60))
        for number, name in enumerate(NAMES):
            await _listen(client, name, number)
        await _steady(client, 2.0)  # connected, compiled, warm
        before = await _steady(client, seconds)
        control = apples[AWAY].control_url
        _done(await client.post(f"{control}/faults", json={"fault": fault}))
        during = await _steady(client, seconds)
        _done(await client.delete(f"{control}/faults"))
        begun, owed = trio.current_time(), len(during[AWAY])
        missing = owed - len(during[AWAY].keys() & (await _times(client, apples[AWAY])).keys())
        arrived = await _made_good(client, apples, {**before[AWAY], **during[AWAY]})
        made_good = trio.current_time() - begun
        accepted = {name: await _times(client, apple) for name, apple in apples.items()}
        doubles = [await _summary(client, apple) for apple in apples.values()]
    asked = {name: {**before[name], **during[name]} for name in NAMES}
    calm, rough = (
        _p95([accepted[n][own] - at for n in NAMES if n != AWAY for own, at in part[n].items()])
        for part in (before, during)
    )
    return {
        "pushes": sum(len(own) for own in asked.values()),
        "lost": sum(len(asked[name].keys() - accepted[name].keys()) for name in NAMES),
        "duplicates": sum(one["duplicates"] for one in doubles),
        "missing": missing,
        "made_good": float(arrived),
        "made_good_seconds": made_good,
        "before_p95_ms": calm,
        "during_p95_ms": rough,
        "ratio": rough / calm,
    }


def _p95(seconds: list[float]) -> float:
    return 1000 * statistics.quantiles(seconds, n=100, method="inclusive")[94]


async def _steady(client: httpx.AsyncClient, seconds: float) -> dict[str, dict[str, float]]:
    """Something to every channel every EVERY seconds: by channel, the id's beginning → its 202."""
    said: dict[str, dict[str, float]] = {name: {} for name in NAMES}

    async def say(channel: str) -> None:
        body = {"channel": channel, "title": "Hello", "ttl": 86_400}
        answer = _done(await client.post("/api/notify", json=body))
        said[channel][answer.json()["id"][:24]] = SystemClock().wall()

    begun = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(max(int(seconds / EVERY * len(NAMES)), 1)):
            await trio.sleep_until(begun + number * EVERY / len(NAMES))
            nursery.start_soon(say, NAMES[number % len(NAMES)])
    return said


async def _listen(client: httpx.AsyncClient, name: str, number: int) -> None:
    body = {"provider": "apns", "instance": name, "device_token": f"{number:064x}"}
    own = (_done(await client.post("/api/devices", json=body))).json()["id"]
    body = {"channel": name, "device_id": own}
    _done(await client.post("/api/subscriptions", json=body))


async def _made_good(
    client: httpx.AsyncClient, apples: dict[str, Apple], owed: dict[str, float]
) -> int:
    """How many of these the one that was away has accepted, when it has all or too late."""
    arrived = 0
    with trio.move_on_after(PATIENCE):
        while arrived < len(owed):
            await trio.sleep(0.5)
            arrived = len(owed.keys() & (await _times(client, apples[AWAY])).keys())
    return arrived


async def _times(client: httpx.AsyncClient, apple: Apple) -> dict[str, float]:
    """When each push was accepted first, by its id's beginning."""
    found: dict[str, float] = {}
    after = 0
    while True:
        page = (await client.get(f"{apple.control_url}/ledger?after={after}&limit=10000")).json()
        for entry in page["entries"]:
            found.setdefault(entry["push_id"][:24], entry["time"])
        if not page["entries"]:
            return found
        after = page["next"]


async def _summary(client: httpx.AsyncClient, apple: Apple) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"{apple.control_url}/ledger/summary")).json()
    return found


def _done(answer: httpx.Response) -> httpx.Response:
    return answer.raise_for_status()


def _config(folder: Path, apples: dict[str, Apple]) -> Path:
    path = folder / "booper.toml"
    path.write_text(
        f'database = "sqlite:{folder / "bench.sqlite3"}"\nlog_level = "critical"\n'
        "[http]\nport = 0\n[public]\nper_address = 0\nper_channel = 0\nchanges_per_address = 0\n"
        f'[defaults]\napns = "{NAMES[0]}"\n'
        + "".join(
            f'[instances.{name}]\nprovider = "apns"\nkey_id = "{apple.key_id}"\n'
            f'team_id = "{apple.team_id}"\ntopic = "{apple.topic}"\n'
            f'private_key_file = "{apple.key_file}"\nurl = "{apple.url}"\n'
            f'ca_file = "{apple.ca_file}"\n'
            for name, apple in apples.items()
        )
    )
    return path


@asynccontextmanager
async def _served(config: Path) -> AsyncIterator[str]:
    """`booper serve` in a process of its own: its URL."""
    command = [sys.executable, "-m", "booper", "serve", "--config", str(config)]
    run = partial(trio.run_process, command, stdout=subprocess.PIPE, check=False)
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(run)
        line = b""
        with trio.fail_after(60.0):
            while not line.endswith(b"\n") and process.stdout is not None:
                part = await process.stdout.receive_some()
                if not part:
                    raise RuntimeError("booper serve ended before it listened")
                line += part
        try:
            yield line.decode().split()[-1]
        finally:
            process.terminate()

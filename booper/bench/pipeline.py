"""The whole pipeline: accepted, durable, fanned out, sent, settled, by real processes.

`booper serve` and a fast simulator run as their own processes on this machine's cores; devices are
written straight into the database first. `per_second` counts deliveries from the 202 to the last
outcome stored; `lost` and `duplicates` come from the simulator's ledger, not from our own tables.

A single push's latency is from its 202 to the provider's acceptance, one begun every EVERY seconds:
alone, and to another channel while the campaign runs.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import trio

from booper.bench import audience, throwaway
from booper.bench.meter import Meter, resident_of, watch_peak
from booper.bench.served import served
from booper.clock import SystemClock
from booper.simulators.apart import simulated_apple

if TYPE_CHECKING:
    from booper.simulators.apart import Apple

EVERY = 0.02
PATIENCE = 60.0  # seconds without a new outcome before the rest counts as lost
CAMPAIGN, URGENT = "campaign", "urgent"


def measure(devices: int, database: str, singles: int) -> dict[str, float]:
    """The figures of one run. `database`: a URL, or "sqlite" or "postgresql" for a throw-away."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="booper-bench-")))
        if database == "sqlite":
            database = f"sqlite:{folder / 'bench.sqlite3'}"
        elif database == "postgresql":
            url = stack.enter_context(throwaway.postgresql(durable=True))
            if url is None:
                raise SystemExit("There is no PostgreSQL here: give a URL.")
            database = url
        return trio.run(_measure, folder, database, devices, singles)


async def _measure(folder: Path, database: str, devices: int, singles: int) -> dict[str, float]:
    rooms = {CAMPAIGN: devices, URGENT: 1}
    urgent = await audience.prepare(database, rooms)
    async with (
        simulated_apple(folder) as apple,
        served("booper", "serve", "--config", str(_config(folder, database, apple))) as (url, pid),
        httpx.AsyncClient(timeout=60, base_url=url) as client,
    ):
        await _notify(client, URGENT)  # connected, compiled, warm
        await trio.sleep(1.0)
        alone = await _singles(client, singles)
        idle = resident_of(pid)
        watch_peak(pid)
        meter, behind = Meter(pid), dict[str, float]()
        accepted = await _notify(client, CAMPAIGN)
        async with trio.open_nursery() as nursery:
            over = trio.Event()
            nursery.start_soon(_singles_until, over, client, behind)
            account = await _settled(client, accepted[0])
            over.set()
        meter.stop()
        peak = resident_of(pid, peak=True)
        await trio.sleep(0.5)
        entries = await _ledger(apple, urgent[URGENT])
        summary = await _summary(apple)
    seconds = account["seconds"] - accepted[1]
    sent = summary["distinct"] - len(alone) - len(behind) - 1
    latencies = {
        name: [1000 * (entries[own] - at) for own, at in asked.items() if own in entries]
        for name, asked in (("alone", alone), ("behind", behind))
    }
    figures = {
        "devices": devices,
        "seconds": seconds,
        "per_second": devices / seconds,
        "settled": devices - account["pending"],
        "lost": devices - sent - sum(account["counts"].values()) + account["counts"]["accepted"],
        "duplicates": summary["duplicates"],
        "cpu_us_per_delivery": 1e6 * (meter.server_cpu or 0.0) / devices,
        "idle_mib": idle,
        "peak_above_idle_mib": peak - idle,
    }
    for name, found in latencies.items():
        figures |= {f"{name}_{key}": value for key, value in _cuts(found).items()}
    figures["p99_ratio"] = figures["behind_p99_ms"] / figures["alone_p99_ms"]
    return figures


def _cuts(milliseconds: list[float]) -> dict[str, float]:
    if len(milliseconds) < 2:
        return {"pushes": len(milliseconds), "p50_ms": float("nan"), "p99_ms": float("nan")}
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {"pushes": len(milliseconds), "p50_ms": cuts[49], "p99_ms": cuts[98]}


def _config(folder: Path, database: str, apple: Apple) -> Path:
    path = folder / "booper.toml"
    path.write_text(
        f'database = "{database}"\nlog_level = "warning"\n[http]\nport = 0\n'
        "[public]\nper_address = 0\nper_channel = 0\n"
        f'[keys]\nbench = "{audience.KEYS["bench"]}"\n'
        f'[instances.apns]\nprovider = "apns"\nkey_id = "{apple.key_id}"\n'
        f'team_id = "{apple.team_id}"\ntopic = "{apple.topic}"\n'
        f'private_key_file = "{apple.key_file}"\nurl = "{apple.url}"\n'
        f'ca_file = "{apple.ca_file}"\n'
    )
    return path


async def _notify(client: httpx.AsyncClient, channel: str) -> tuple[str, float]:
    """The notification's id, and when its 202 was here."""
    body = {"channel": channel, "title": "Hello from Booper", "body": "A push of the benchmark"}
    answer = await client.post("/api/notify", json=body)
    at = SystemClock().wall()
    answer.raise_for_status()
    return answer.json()["id"], at


async def _singles(client: httpx.AsyncClient, count: int) -> dict[str, float]:
    asked: dict[str, float] = {}
    for _ in range(count):
        own, at = await _notify(client, URGENT)
        asked[own[:24]] = at
        await trio.sleep(EVERY)
    return asked


async def _singles_until(
    over: trio.Event, client: httpx.AsyncClient, asked: dict[str, float]
) -> None:
    """One every EVERY seconds; never cut off in the middle, or the ledger would know one more."""
    while not over.is_set():
        own, at = await _notify(client, URGENT)
        asked[own[:24]] = at
        await trio.sleep(EVERY)


async def _settled(client: httpx.AsyncClient, own: str) -> dict[str, Any]:
    """The campaign's account when all is settled, or when nothing moves any more."""
    last, moved = -1, trio.current_time()
    while True:
        account: dict[str, Any] = (await client.get(f"/api/notifications/{own}")).json()
        now = sum(account["counts"].values())
        if now != last:
            last, moved = now, trio.current_time()
        if account["finished_at"] or trio.current_time() - moved > PATIENCE:
            ended = account["finished_at"]
            account["seconds"] = datetime.fromisoformat(ended).timestamp() if ended else math.inf
            return account
        await trio.sleep(0.1)


async def _ledger(apple: Apple, device: str) -> dict[str, float]:
    """When the pushes to one device were accepted, by the beginning of their ids."""
    async with httpx.AsyncClient(timeout=60) as client:
        where = f"{apple.control_url}/ledger?device={device}&limit=10000"
        page = (await client.get(where)).json()
    return {entry["push_id"][:24]: entry["time"] for entry in page["entries"]}


async def _summary(apple: Apple) -> dict[str, Any]:
    async with httpx.AsyncClient(timeout=60) as client:
        found: dict[str, Any] = (await client.get(f"{apple.control_url}/ledger/summary")).json()
        return found

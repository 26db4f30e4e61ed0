"""Very many instances: how long a start takes with them, and what each of them costs.

The rows are written straight into a SQLite file, every tenth of them disabled and every tenth
stopped; then `booper serve` starts on it, in a process of its own. `front_seconds`: from the start
of the process until the front door says that it is ready. `all_seconds`: until this node has
written for every instance that it is in its state. `kib_each`: what the process holds then, beyond
what it holds without instances, divided by their number. `in_state` says how many were found so.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import trio

from booper.bench.meter import resident_of
from booper.bench.served import served
from booper.clock import SystemClock, entropy
from booper.domain.wanted import OPERATOR, Wanted
from booper.seal import KeyRing
from booper.settings import Settings
from booper.simulators.apns import generate_key
from booper.store import instances
from booper.store.opening import open_database
from booper.workers.safe import Safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from booper.ports import Tx

PAGE = 500  # rows in one transaction
PATIENCE = 300.0
KEY = "A" * 43 + "="
_ADOPTED = "SELECT count(*) FROM node_generations"
_STATES = "SELECT started, enabled, count(*) FROM instances GROUP BY 1, 2"


def measure(count: int) -> dict[str, float]:
    """The figures of one start."""
    with tempfile.TemporaryDirectory(prefix="booper-bench-") as folder:
        return trio.run(_measure, Path(folder), count)


async def _measure(folder: Path, count: int) -> dict[str, float]:
    bare = await _start(folder / "bare", 0)
    full = await _start(folder / "full", count)
    return {
        "instances": count,
        "in_state": full["in_state"],
        "front_seconds": full["front_seconds"],
        "front_seconds_without": bare["front_seconds"],
        "all_seconds": full["all_seconds"],
        "resident_mib": full["resident_mib"],
        "kib_each": 1024 * (full["resident_mib"] - bare["resident_mib"]) / count,
    }


async def _start(folder: Path, count: int) -> dict[str, float]:
    await trio.Path(folder).mkdir()
    file, config = folder / "booper.sqlite3", trio.Path(folder / "booper.toml")
    await config.write_text(
        f'database = "sqlite:{file}"\nlog_level = "warning"\n[http]\nport = 0\n'
        f'[keys]\nbench = "{KEY}"\n'
    )
    await _prepare(f"sqlite:{file}", count)
    begun = trio.current_time()
    async with (
        served("booper", "serve", "--config", str(config)) as (url, pid),
        httpx.AsyncClient(base_url=url, timeout=60) as client,
    ):
        while not (await client.get("/readyz")).is_success:  # noqa: ASYNC110 - it tells nobody
            await trio.sleep(0.01)
        front = trio.current_time() - begun
        with trio.move_on_after(PATIENCE):
            while _number(file) < count:  # noqa: ASYNC110 - nor the file
                await trio.sleep(0.05)
        done = trio.current_time() - begun
        tree: dict[str, Any] = (await client.get("/api/admin/tree")).json()
        return {
            "front_seconds": front,
            "all_seconds": done,
            "in_state": _number(file) if _running(tree) == _wanted(file) else 0,
            "resident_mib": resident_of(pid),
        }


async def _prepare(database: str, count: int) -> None:
    """So many rows, each with a sealed key of Apple's."""
    safe = Safe(KeyRing({"bench": KEY}, entropy), SystemClock())
    key, now = generate_key(), SystemClock().wall()
    named = {"key_id": key.team_key.key_id, "team_id": key.team_key.team_id}
    settings = {**named, "topic": "com.example.app", "private_key": key.private_key_pem}

    async def page(tx: Tx, numbers: Iterable[int]) -> None:
        for number in numbers:
            name = f"tenant-{number}"
            wanted = Wanted(
                *(name, OPERATOR, name, "apns", "api", 1, 1, 1, now, "bench"),
                started=number % 10 != 1,
                enabled=number % 10 != 2,
            )
            await instances.insert(tx, wanted)
            await instances.keep(tx, name, safe.sealed(wanted, settings))

    async with open_database(Settings(database=database)) as opened:
        for first in range(0, count, PAGE):
            await opened.write(page, range(first, min(first + PAGE, count)))


def _number(file: Path) -> int:
    """How many instances this node has written to be in their state."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as reader:
        return int(reader.execute(_ADOPTED).fetchone()[0])


def _wanted(file: Path) -> int:
    """How many should run; a disabled one runs, and refuses."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as reader:
        return sum(count for started, _, count in reader.execute(_STATES) if started)


def _running(tree: dict[str, Any]) -> int:
    """How many supervisors of one there are with a live instance below them."""
    (all_,) = (child for child in tree["children"] if child["id"] == "instances")
    return sum(
        child["age"] is not None and child["restarts"] == 0
        for one in all_["children"]
        for child in one["children"]
    )

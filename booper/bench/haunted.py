"""A Booper whose troubled tenants are in trouble that no request could bring about.

`FOLDER/street.json` says where each instance's Apple is, `FOLDER/booper.toml` is the settings
file. The first codec of an instance is in order, so that it can be made; from the second on, a
malformed key stands in its settings, or its codec has a bug. Otherwise this is `booper serve`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import trio

from booper import settings as settings_file
from booper import wiring
from booper.bench.bugs import Crashing
from booper.providers import codec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from booper.providers.provider import Codec

START = 60.0  # seconds for it to listen
JUNK = "-----BEGIN PRIVATE KEY-----\njunk\n-----END PRIVATE KEY-----"


class Haunt:
    """Makes codecs: the Apples of `street`, and the trouble that stands in an instance's name."""

    def __init__(self, street: Mapping[str, Mapping[str, str]]) -> None:
        self._street = street
        self._seen: set[str] = set()

    def make(self, name: str, table: Mapping[str, object], now: float) -> Codec:
        """As `providers.codec`."""
        kind, _, place = name.partition("-")
        table = {**table, **self._street.get(name, {})}
        first = name not in self._seen
        if first or kind not in ("malformed", "crashing"):
            self._seen.add(name)
            return codec(name, table, now)
        if kind == "malformed":
            return codec(name, {**table, "private_key": JUNK}, now)
        if place == "make":
            raise ZeroDivisionError("a bug in a codec")
        return Crashing(codec(name, table, now), place)


@asynccontextmanager
async def haunted(folder: Path) -> AsyncIterator[str]:
    """The service in a process of its own: its URL. What it logs is written, and thrown away."""
    command = [sys.executable, "-m", "booper", "bench", "haunted", str(folder)]
    run = partial(trio.run_process, command, stdout=subprocess.PIPE, check=False)
    with (folder / "log").open("wb") as log:
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(partial(run, stderr=log))
            assert process.stdout is not None  # noqa: S101 - asked for above
            line = b""
            with trio.fail_after(START):
                while not line.endswith(b"\n"):
                    part = await process.stdout.receive_some()
                    if not part:
                        raise RuntimeError((folder / "log").read_text())
                    line += part
            try:
                yield line.decode().strip()
            finally:
                process.terminate()


async def serve(folder: Path) -> None:
    """Until SIGTERM."""
    street = msgspec.json.decode((folder / "street.json").read_bytes())
    settings = settings_file.load(folder / "booper.toml", {})
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            booper: wiring.Booper = await nursery.start(_run, settings, Haunt(street))
            wiring.settle()
            sys.stdout.write(f"{booper.url}\n")
            sys.stdout.flush()
            async for _ in signals:
                booper.stop()
                break


async def _run(
    settings: settings_file.Settings, haunt: Haunt, *, task_status: trio.TaskStatus[wiring.Booper]
) -> None:
    await wiring.run(settings, make=haunt.make, task_status=task_status)

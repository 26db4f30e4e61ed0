"""A simulator in a process of its own: for whoever measures, demonstrates or kills."""

from __future__ import annotations

import subprocess
import sys
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATIENCE = 30.0  # seconds for it to come up


class Apple(msgspec.Struct, frozen=True):
    """How to point an instance at the simulator; the keys of its `--json` line."""

    url: str
    control_url: str
    ca_file: str
    key_file: str
    key_id: str
    team_id: str
    topic: str


@asynccontextmanager
async def simulated_apple(folder: Path, *, fast: bool = True) -> AsyncIterator[Apple]:
    """A simulator in a process of its own, ended with the block (or with this process).

    `fast` answers as quickly as we can ask; without it the strict one takes its time.
    """
    command = [sys.executable, "-m", "booper", "simulate", "apns", "--json"]
    command += ["--directory", str(folder), "--until-eof", *(["--fast"] if fast else [])]
    run = partial(
        trio.run_process, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, check=False
    )
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(run)
        assert process.stdout is not None  # noqa: S101 - asked for above
        line = b""
        with trio.fail_after(PATIENCE):
            while not line.endswith(b"\n"):
                part = await process.stdout.receive_some()
                if not part:
                    raise RuntimeError("the simulator ended before it was ready")
                line += part
        try:
            yield msgspec.json.decode(line, type=Apple)
        finally:
            process.terminate()

"""A server in a process of its own, for whoever measures it; it ends with the block."""

from __future__ import annotations

import subprocess
import sys
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE = 60.0  # seconds for it to come up


@asynccontextmanager
async def served(*module: str) -> AsyncIterator[tuple[str, int]]:
    """`python -m` that module: the URL that its first line ends with, and its process id."""
    command = [sys.executable, "-m", *module]
    run = partial(trio.run_process, command, stdout=subprocess.PIPE, check=False)
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(run)
        line = b""
        with trio.fail_after(PATIENCE):
            while not line.endswith(b"\n") and process.stdout is not None:
                part = await process.stdout.receive_some()
                if not part:
                    raise RuntimeError(f"{' '.join(module)} ended before it listened")
                line += part
        try:
            yield line.decode().split()[-1], process.pid
        finally:
            process.terminate()

"""Other programs, behind the Commands port: no shell, bounded output, and none outlives its time.

A program gets a session of its own, so that it can be killed with whatever it started.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import trio

from booper.ports.access import Ran

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OWN = "BOOPER_"  # settings, some of them secret, are nobody else's


class LocalCommands:
    """Programs of this machine."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment`: what they see of ours, without Booper's own settings."""
        self._environment = {
            name: value for name, value in environment.items() if not name.startswith(OWN)
        }

    async def run(
        self, argv: Sequence[str], *, timeout: float, limit: int, extra: Mapping[str, str]
    ) -> Ran:
        start = partial(
            trio.lowlevel.open_process,
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**self._environment, **extra},
        )
        try:
            process = await start()
        except (OSError, ValueError) as error:  # not there, not a program, a NUL in its name
            return Ran(None, b"", f"it cannot be started ({type(error).__name__})")
        output, why = b"", ""
        try:
            with trio.move_on_after(timeout) as scope:
                output = await _output(process, limit)
                if len(output) > limit:
                    return Ran(None, b"", f"it printed more than {limit} bytes")
                await process.wait()
            if scope.cancelled_caught:
                why = f"it took more than {timeout:g} seconds"
        finally:
            _kill(process)
            with trio.CancelScope(shield=True):  # killed, it ends; nobody is left as a zombie
                await process.wait()
                if process.stdout is not None:
                    await process.stdout.aclose()
        return Ran(None, b"", why) if why else Ran(process.returncode, output)


async def _output(process: trio.Process, limit: int) -> bytes:
    """What it prints until it closes its end, or a little more than `limit` of it."""
    found = b""
    while process.stdout is not None and len(found) <= limit:
        part = await process.stdout.receive_some(65_536)
        if not part:
            break
        found += part
    return found


def _kill(process: trio.Process) -> None:
    """The whole session's group: also after its leader has ended, the others may still run."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)

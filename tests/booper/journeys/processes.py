"""Booper and a simulated Apple as real processes, to be killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import httpx
import trio

from booper.demo import CHANNEL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from booper.simulators.apart import Apple


def config(folder: Path, apple: Apple, **delivery: float) -> Path:
    """A settings file that points one instance at the simulator."""
    lines = [
        f'database = "sqlite:{folder / "booper.sqlite3"}"',
        "shutdown = 10.0",
        "[public]",
        "per_address = 0",
        "per_channel = 0",
        "changes_per_address = 0",
        "[http]",
        "port = 0",
        "[delivery]",
        *(f"{key} = {value}" for key, value in delivery.items()),
        "[instances.apns]",
        'provider = "apns"',
        f'key_id = "{apple.key_id}"',
        f'team_id = "{apple.team_id}"',
        f'topic = "{apple.topic}"',
        f'private_key_file = "{apple.key_file}"',
        f'url = "{apple.url}"',
        f'ca_file = "{apple.ca_file}"',
    ]
    path = folder / "booper.toml"
    path.write_text("\n".join(lines))
    return path


class Server:
    """One life of `booper serve`."""

    def __init__(self, process: trio.Process, url: str) -> None:
        self.process = process
        self.url = url

    async def kill(self) -> None:
        """kill -9, and see it dead."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def end(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        with trio.fail_after(30):
            return await self.process.wait()


@asynccontextmanager
async def served(path: Path) -> AsyncIterator[Server]:
    """`booper serve --config path`; ended with the block if it still lives."""
    command = [sys.executable, "-m", "booper", "serve", "--config", str(path)]
    run = partial(trio.run_process, command, stdout=subprocess.PIPE, check=False)
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(run)
        assert process.stdout is not None
        line = b""
        with trio.fail_after(30):
            while not line.endswith(b"\n"):
                part = await process.stdout.receive_some()
                assert part, "it ended before it listened"
                line += part
        try:
            yield Server(process, line.decode().split()[-1])
        finally:
            if process.returncode is None:
                process.terminate()


class Observer:
    """What a client and the simulator's ledger say."""

    def __init__(self, apple: Apple) -> None:
        self.apple = apple
        self.client = httpx.AsyncClient(timeout=30)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def ledger(self) -> dict[str, Any]:
        """The ledger's summary."""
        answer = await self.client.get(f"{self.apple.control_url}/ledger/summary")
        found: dict[str, Any] = answer.json()
        return found

    async def fault(self, **script: Any) -> None:
        """Have the simulator do something wrong."""
        body = json.dumps(script).encode()
        answer = await self.client.post(f"{self.apple.control_url}/faults", content=body)
        assert answer.status_code < 300, answer.text

    async def notify(self, server: Server) -> str:
        """One notification to the demo channel."""
        body = {"channel": CHANNEL, "title": "Hello"}
        answer = await self.client.post(f"{server.url}/api/notify", json=body)
        assert answer.status_code == 202, answer.text
        own: str = answer.json()["id"]
        return own

    async def accepted(self, at_least: int, patience: float = 60) -> None:
        """Wait until Apple has accepted that many."""
        with trio.fail_after(patience):
            while (await self.ledger())["accepted"] < at_least:
                await trio.sleep(0.005)

    async def done(self, server: Server, own: str, patience: float = 60) -> dict[str, Any]:
        """The account once every device has its outcome."""
        with trio.fail_after(patience):
            while True:
                answer = await self.client.get(f"{server.url}/api/notifications/{own}")
                shown: dict[str, Any] = answer.json()
                if shown["finished_at"]:
                    return shown
                await trio.sleep(0.05)

"""`booper serve --processes N`: one port, several nodes; none is missed, none is left over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from tests.booper.cli.test_serve import PROGRAM, ROOT, plain, refused
from tests.booper.journeys.nodes import KEYS, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

pytestmark = pytest.mark.real


class Crew:
    """A running parent, and what its processes wrote."""

    def __init__(self, url: str, log: Path) -> None:
        self._url = url
        self._log = log
        self.url = ""

    async def __aenter__(self) -> Crew:
        options = ["serve", "--port", "0", "--database", self._url, "--processes", "2"]
        with self._log.open("wb") as log:
            self.parent = await trio.lowlevel.open_process(
                [*PROGRAM, *options],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env=plain({f"BOOPER_KEYS__{name}": key for name, key in KEYS.items()}),
            )
        text = b""
        assert self.parent.stdout is not None
        with trio.fail_after(60):
            while not text.endswith(b"\n"):
                text += (more := await self.parent.stdout.receive_some())
                assert more, self._log.read_text()
        self.url = text.decode().split()[-1]
        self.client = httpx.AsyncClient(base_url=self.url, timeout=20)
        return self

    async def __aexit__(self, *_: object) -> None:
        with trio.CancelScope(shield=True):
            if self.parent.poll() is None:
                self.parent.terminate()
            await self.parent.wait()
            assert self.parent.stdout is not None
            await self.parent.stdout.aclose()
            await self.client.aclose()

    def lines(self) -> list[dict[str, Any]]:
        """The log."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def processes(self) -> dict[int, int]:
        """Each member's process now."""
        started = [line for line in self.lines() if line["event"] == "process_started"]
        return {line["member"]: line["pid"] for line in started}

    def pids(self) -> set[int]:
        """Every process there ever was."""
        return {line["pid"] for line in self.lines() if line["event"] == "process_started"}

    async def alive(self) -> set[str]:
        """The addresses and ids of the living nodes, as one of them shows them."""
        try:
            shown = (await self.client.get("/api/admin/nodes")).json()["nodes"]
        except httpx.HTTPError:
            return set()
        alive = [node for node in shown if node["state"] == "alive"]
        assert {node["pid"] for node in alive} <= self.pids()
        return {node["id"] for node in alive}

    async def are(self, count: int) -> bool:
        return len(await self.alive()) == count


@pytest.fixture
async def crew(tmp_path: Path, postgresql_url: str) -> AsyncIterator[Crew]:
    async with Crew(postgresql_url, tmp_path / "log") as found:
        yield found


async def test_it_serves_restarts_the_dead_and_drains_at_the_end(crew: Crew) -> None:
    first = crew.processes()
    assert sorted(first) == [1, 2]
    nodes = await crew.alive()
    assert len(nodes) == 2
    seen: set[str] = set()

    async def both() -> bool:
        """A connection of its own each time, so that every process gets some."""
        async with httpx.AsyncClient(base_url=crew.url, timeout=20) as fresh:
            shown = (await fresh.get("/api/admin/nodes")).json()["nodes"]
        seen.update(node["id"] for node in shown if node["this"])
        return seen == nodes

    await until(both)
    os.kill(first[1], signal.SIGKILL)

    async def restarted() -> bool:
        now = await crew.alive()
        return len(now) == 2 and now != nodes

    await until(restarted, 60)
    assert crew.processes()[1] != first[1]
    assert crew.processes()[2] == first[2]
    device = {"provider": "apns", "device_token": "ab" * 32}
    assert (await crew.client.post("/api/devices", json=device)).status_code == 201
    crew.parent.send_signal(signal.SIGTERM)
    with trio.fail_after(30):
        assert await crew.parent.wait() == 0
    assert not any(map(_lives, crew.processes().values()))
    ended = [line for line in crew.lines() if line["event"] == "process_ended"]
    assert [line["status"] for line in ended] == [-9]
    assert {line["process"] for line in crew.lines() if "process" in line} <= {1, 2}


async def test_a_parent_that_is_killed_leaves_nobody_behind(crew: Crew) -> None:
    pids = crew.processes().values()
    assert all(map(_lives, pids))
    crew.parent.kill()
    await until(partial(_none, pids), 30)
    with pytest.raises(httpx.ConnectError):
        await crew.client.get("/healthz")


async def test_what_cannot_be_is_one_line(tmp_path: Path) -> None:
    options = ("--processes", "2", "--port", "0")
    line = await refused(*options, "--database", f"sqlite:{tmp_path / 'b.sqlite3'}")
    assert "needs_postgresql" in line
    assert "BOOPER_MEMBER" in await refused("--port", "0", BOOPER_MEMBER="one:9999")
    away = "postgresql://postgres@127.0.0.1:1/none"
    lines = await said(*options, "--database", away, BOOPER_KEYS__K1=KEYS["k1"])
    assert any("database_unreachable" in line for line in lines)
    assert "not_started" in lines[-1]


async def said(*options: str, **environment: str) -> list[str]:
    """What a start that is refused says to people; the status must be 2."""
    with trio.fail_after(60):
        ended = await trio.run_process(
            [*PROGRAM, "serve", *options],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            cwd=ROOT,
            env=plain(environment),
        )
    assert ended.returncode == 2, ended.stderr.decode()
    return [one for one in ended.stderr.decode().splitlines() if not one.startswith("{")]


def _lives(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def _none(pids: Iterable[int]) -> bool:
    return not any(map(_lives, pids))

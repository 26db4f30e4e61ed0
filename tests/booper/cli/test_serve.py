"""`booper serve` as a program: what it says, how it ends, and one line for a mistake."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.real
PROGRAM = [sys.executable, "-m", "booper"]
ROOT = Path(__file__).parents[3]


class Serve:
    """A running `booper serve`; killed when the block is left, if it still runs."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._database = f"sqlite:{folder / 'b.sqlite3'}"
        self._environment = environment

    async def __aenter__(self) -> Serve:
        options = ["serve", "--port", "0", "--database", self._database]
        self._process = await trio.lowlevel.open_process(
            [*PROGRAM, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env=plain(self._environment),
        )
        text = b""
        assert self._process.stdout is not None
        with trio.fail_after(30):
            while not text.endswith(b"\n"):
                text += (more := await self._process.stdout.receive_some())
                assert more, "it ended before it listened"
        words, _, self.url = text.decode().strip().rpartition(" ")
        assert words == "Booper listens on"
        return self

    async def __aexit__(self, *_: object) -> None:
        with trio.CancelScope(shield=True):
            if self._process.poll() is None:
                self._process.kill()
            await self._process.wait()
            assert self._process.stdout is not None
            await self._process.stdout.aclose()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        with trio.fail_after(15):
            return await self._process.wait()


def plain(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without Booper's own settings, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BOOPER_")}
    return {**kept, **more}


async def refused(*options: str, **environment: str) -> str:
    """The one line, beside the log's, that a mistake is answered with; the status must be 2."""
    with trio.fail_after(30):
        ended = await trio.run_process(
            [*PROGRAM, "serve", *options],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            cwd=ROOT,
            env=plain(environment),
        )
    assert ended.returncode == 2, ended.stderr.decode()
    assert ended.stdout == b""
    (line,) = (one for one in ended.stderr.decode().splitlines() if not one.startswith("{"))
    return line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_listens_answers_and_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    async with Serve(tmp_path) as booper, httpx.AsyncClient(base_url=booper.url) as client:
        with trio.fail_after(10):
            while (answer := await client.get("/readyz")).status_code != 200:
                await trio.sleep(0.05)
        assert answer.json() == {"status": "ready"}
        tree = (await client.get("/api/admin/tree")).json()
        assert [child["id"] for child in tree["children"]] == [
            "node",
            "resolvers",
            "instances",
            "delivery",
            "front",
        ]
        booper.signal(number)
        assert await booper.ended() == 0


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    slow = {"BOOPER_HTTP__BODY_TIMEOUT": "100", "BOOPER_SHUTDOWN": "200"}
    async with Serve(tmp_path, **slow) as booper:
        caller = await trio.open_tcp_stream("127.0.0.1", booper.port)
        async with caller:
            head = "POST /api/notify HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            await caller.send_all(f"{head}Content-Length: 9\r\n\r\n{{".encode())
            await trio.sleep(0.2)  # until its headers have arrived
            booper.signal(signal.SIGTERM)
            with trio.fail_after(10):
                while True:  # the front takes nobody any more, and waits for this request
                    try:
                        other = await trio.open_tcp_stream("127.0.0.1", booper.port)
                    except OSError:
                        break
                    await other.aclose()
                    await trio.sleep(0.02)
            with trio.move_on_after(0.3) as patience:
                await booper.ended()
            assert patience.cancelled_caught, "it did not wait for the request"
            booper.signal(signal.SIGTERM)
            await booper.ended()


async def test_a_mistake_is_one_line_that_names_it(tmp_path: Path) -> None:
    database = f"sqlite:{tmp_path / 'b.sqlite3'}"
    config = tmp_path / "booper.toml"
    config.write_text('[http]\nprt = 80\nadmin_key = "SECRET"\n')
    line = await refused("--config", str(config))
    assert "prt" in line
    assert "config_value" in line
    assert "SECRET" not in line
    assert "colour" in await refused(BOOPER_COLOUR="red")
    assert "missing.toml" in await refused("--config", str(tmp_path / "missing.toml"))
    assert "database_url" in await refused("--database", "mysql:x", "--port", "0")
    options = ("--port", "0", "--database", database)
    assert "redis_url" in await refused(*options, BOOPER_REDIS="nonsense")
    apns = {"BOOPER_INSTANCES__A__PROVIDER": "apns", "BOOPER_INSTANCES__A__PRIVATE_KEY": "SECRET"}
    line = await refused("--port", "0", "--database", database, **apns)
    assert "missing_settings" in line
    assert "SECRET" not in line


async def test_a_port_or_a_database_in_use_is_one_line(tmp_path: Path) -> None:
    async with Serve(tmp_path) as booper:
        line = await refused("--database", f"sqlite:{tmp_path / 'b.sqlite3'}", "--port", "0")
        assert "database_in_use" in line
        other = f"sqlite:{tmp_path / 'other.sqlite3'}"
        line = await refused("--database", other, "--port", str(booper.port))
        assert "cannot_listen" in line
        assert str(booper.port) in line
    line = await refused("--database", other, "--host", "nowhere.invalid", "--port", "0")
    assert "cannot_listen" in line


@pytest.mark.parametrize("command", [[], ["serve"], ["demo"], ["simulate"], ["bench"]])
async def test_every_command_explains_itself(command: list[str]) -> None:
    with trio.fail_after(30):
        ended = await trio.run_process(
            [*PROGRAM, *command, "--help"], capture_stdout=True, capture_stderr=True, cwd=ROOT
        )
    assert b"Usage" in ended.stdout
    assert ended.stderr == b""

"""`booper simulate apns` as a program: what it says, what works with it, how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
import trio

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.real
PROGRAM = [sys.executable, "-c", "from booper.cli.simulate import app; app()", "apns"]
ROOT = Path(__file__).parents[3]


class Program:
    """The running command; ended and awaited when the block is left."""

    def __init__(self, *options: str) -> None:
        self._command = [*PROGRAM, *options]

    async def __aenter__(self) -> Program:
        self.process = await trio.lowlevel.open_process(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        with trio.CancelScope(shield=True):
            if self.process.poll() is None:
                self.process.kill()
            await self.process.wait()
            assert self.process.stdout is not None
            assert self.process.stderr is not None
            await self.process.stdout.aclose()
            await self.process.stderr.aclose()

    async def said(self, last: bytes) -> str:
        """Everything printed up to `last`."""
        assert self.process.stdout is not None
        text = b""
        with trio.fail_after(30):
            while last not in text:
                text += (more := await self.process.stdout.receive_some())
                assert more, text
        return text.decode()

    async def ended_by(self, number: int) -> int:
        self.process.send_signal(number)
        with trio.fail_after(30):
            return await self.process.wait()


async def push(place: dict[str, Any]) -> httpx.Response:
    """One push made from nothing but what the program said."""
    authorization = jwt.encode(
        {"iss": place["team_id"], "iat": int(time.time())},
        await trio.Path(place["key_file"]).read_text(),
        algorithm="ES256",
        headers={"kid": place["key_id"]},
    )
    headers = {"authorization": f"bearer {authorization}", "apns-topic": place["topic"]}
    url = f"{place['url']}/3/device/{'ab' * 32}"
    async with httpx.AsyncClient(http2=True, verify=_trust(place), trust_env=False) as client:
        return await client.post(url, headers=headers, content=b'{"aps":{}}')


def _trust(place: dict[str, Any]) -> Any:
    import ssl

    return ssl.create_default_context(cafile=place["ca_file"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_for_programs(tmp_path: Path, number: int) -> None:
    folder = tmp_path / "new" / "folder"
    async with Program("--json", "--directory", str(folder)) as program:
        place = json.loads(await program.said(b"\n"))
        assert (await push(place)).status_code == 200
        async with httpx.AsyncClient(base_url=place["control_url"], trust_env=False) as control:
            assert (await control.get("/ledger/summary")).json()["accepted"] == 1
            script = {"fault": {"kind": "answer", "status": 503, "reason": "Shutdown"}}
            assert (await control.post("/faults", json=script)).status_code == 201
            assert (await push(place)).json() == {"reason": "Shutdown"}
        assert {path.name for path in folder.iterdir()} == {"ca.pem", "AuthKey_KEY1234567.p8"}
        assert (folder / "AuthKey_KEY1234567.p8").stat().st_mode & 0o077 == 0
        assert await program.ended_by(number) == 0


async def test_for_people() -> None:
    async with Program() as program:
        text = await program.said(b"/faults -d")
        table = text[text.index("[instances.apns]") : text.index("See what")]
        place = tomllib.loads(table)["instances"]["apns"]
        assert place.pop("provider") == "apns"
        place["key_file"] = place.pop("private_key_file")
        assert (await push(place)).status_code == 200
        assert await program.ended_by(signal.SIGTERM) == 0
    assert not await trio.Path(place["ca_file"]).exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--port", "{taken}"], "Address already in use"),
        (["--control-port", "{taken}"], "Address already in use"),
        (["--directory", "/proc/nothing"], "No such file"),
        (["--port", "70000"], "Invalid value"),
    ],
)
async def test_trouble_at_the_start_is_one_line(options: Sequence[str], complaint: str) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = str(listener.socket.getsockname()[1])
    ended: subprocess.CompletedProcess[bytes] = await trio.run_process(
        [*PROGRAM, *(option.format(taken=port) for option in options)],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        cwd=ROOT,
    )
    await listener.aclose()
    assert ended.returncode != 0
    assert complaint in (ended.stderr + ended.stdout).decode()
    assert b"Traceback" not in ended.stderr


async def test_it_need_not_outlive_who_started_it() -> None:
    with trio.fail_after(60):
        ended: subprocess.CompletedProcess[bytes] = await trio.run_process(
            [*PROGRAM, "--json", "--until-eof"], stdin=b"", capture_stdout=True, cwd=ROOT
        )
    assert json.loads(ended.stdout)["topic"] == "com.example.app"

"""`booper simulate fcm` as a program."""

from __future__ import annotations

import json
import signal
import ssl
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from booper import settings
from booper.clock import SystemClock
from booper.providers import codec
from tests.booper.simulators.test_simulate_command import ROOT, Program

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

pytestmark = pytest.mark.real
PROGRAM = [sys.executable, "-c", "from booper.cli.simulate import app; app()", "fcm"]


class Fcm(Program):
    """The running command."""

    def __init__(self, *options: str) -> None:
        self._command = [*PROGRAM, *options]


async def push(place: dict[str, Any], toml: str, folder: Path) -> httpx.Response:
    """One push made from nothing but what the program said."""
    file = folder / "booper.toml"
    file.write_text(toml)
    now = SystemClock().wall()
    made = codec("fcm", settings.load(file, {}).instances["fcm"], now)
    trust = ssl.create_default_context(cafile=place["ca_file"])
    async with httpx.AsyncClient(http2=True, verify=trust, trust_env=False) as client:
        return await client.post(
            f"{place['url']}/v1/projects/{place['project_id']}/messages:send",
            headers={"authorization": f"Bearer {made.mint(now).text.reveal()}"},
            json={"message": {"token": "device-0000000001"}},
        )


def toml(place: dict[str, Any]) -> str:
    lines = [f"{key} = {json.dumps(place[key])}" for key in ("credentials_file", "url", "ca_file")]
    return "\n".join(["[instances.fcm]", 'provider = "fcm"', *lines])


@pytest.mark.parametrize("lane", [(), ("--fast", "--streams", "20")], ids=["strict", "fast"])
async def test_pushes_ledger_and_faults(tmp_path: Path, lane: tuple[str, ...]) -> None:
    async with Fcm("--json", "--directory", str(tmp_path), *lane) as program:
        place = json.loads(await program.said(b"\n"))
        account = json.loads(await trio.Path(place["credentials_file"]).read_text())
        assert account["token_uri"] == place["token_uri"] == f"{place['url']}/token"
        mode = (await trio.Path(place["credentials_file"]).stat()).st_mode
        assert mode & 0o077 == 0, "nobody else may read a private key"
        assert (await push(place, toml(place), tmp_path)).status_code == 200
        async with httpx.AsyncClient(base_url=place["control_url"], trust_env=False) as control:
            (entry,) = (await control.get("/ledger")).json()["entries"]
            assert entry["device"] == "device-0000000001"
            script = {"fault": {"kind": "answer", "status": 503}, "times": 1}
            assert (await control.post("/faults", json=script)).status_code == 201
            assert (await push(place, toml(place), tmp_path)).status_code == 503
            assert (await push(place, toml(place), tmp_path)).status_code == 200
        assert await program.ended_by(signal.SIGTERM) == 0


async def test_for_people(tmp_path: Path) -> None:
    async with Fcm() as program:
        text = await program.said(b"/faults -d")
        shown = text[text.index("[instances.fcm]") : text.index("See what")]
        table = tomllib.loads(shown)["instances"]["fcm"]
        place = {**table, "project_id": "booper-simulated"}
        assert (await push(place, shown, tmp_path)).status_code == 200
        assert await program.ended_by(signal.SIGINT) == 0


async def test_the_strict_simulator_has_no_round_trip() -> None:
    ended: subprocess.CompletedProcess[bytes] = await trio.run_process(
        [*PROGRAM, "--delay", "1"], capture_stderr=True, check=False, cwd=ROOT
    )
    assert ended.returncode == 1
    assert ended.stderr == b"booper simulate fcm: --delay needs --fast\n"

"""`booper simulate apns --fast` is the same program for whoever sends to it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from tests.booper.simulators.test_simulate_command import PROGRAM, ROOT, Program, push

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

pytestmark = pytest.mark.real


async def test_pushes_ledger_and_faults(tmp_path: Path) -> None:
    async with Program("--fast", "--streams", "20", "--json", "--directory", str(tmp_path)) as one:
        place = json.loads(await one.said(b"\n"))
        assert (await push(place)).status_code == 200
        async with httpx.AsyncClient(base_url=place["control_url"], trust_env=False) as control:
            (entry,) = (await control.get("/ledger")).json()["entries"]
            assert entry["device"] == "ab" * 32
            script = {"fault": {"kind": "answer", "status": 503, "reason": "Shutdown"}, "times": 1}
            assert (await control.post("/faults", json=script)).status_code == 201
            assert (await push(place)).json() == {"reason": "Shutdown"}
            assert (await push(place)).status_code == 200


async def test_answers_are_late_if_wanted(tmp_path: Path) -> None:
    options = ("--fast", "--delay", "0.3", "--json", "--directory", str(tmp_path))
    async with Program(*options) as one:
        place = json.loads(await one.said(b"\n"))
        begun = time.monotonic()
        assert (await push(place)).status_code == 200
        assert time.monotonic() - begun >= 0.3  # never earlier; how much later is the machine's


async def test_the_strict_simulator_has_no_round_trip() -> None:
    ended: subprocess.CompletedProcess[bytes] = await trio.run_process(
        [*PROGRAM, "--delay", "1"], capture_stderr=True, check=False, cwd=ROOT
    )
    assert ended.returncode == 1
    assert ended.stderr == b"booper simulate apns: --delay needs --fast\n"

"""`booper simulate ntfy` as a program."""

from __future__ import annotations

import json
import signal
import sys
import tomllib
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from booper.providers import codec
from tests.booper.simulators.test_simulate_command import Program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
PROGRAM = [sys.executable, "-c", "from booper.cli.simulate import app; app()", "ntfy"]


class Ntfy(Program):
    """The running command."""

    def __init__(self, *options: str) -> None:
        self._command = [*PROGRAM, *options]


async def test_for_programs(tmp_path: Path) -> None:
    async with Ntfy("--json", "--plain", "--closed", "--directory", str(tmp_path)) as program:
        place = json.loads(await program.said(b"\n"))
        async with httpx.AsyncClient(trust_env=False) as client:
            refused = await client.post(f"{place['url']}/news", content=b"hi")
            assert refused.json()["code"] == 40301
            shown = {"Authorization": f"Bearer {place['access_token']}"}
            taken = await client.post(f"{place['url']}/news", content=b"hi", headers=shown)
            assert taken.json()["message"] == "hi"
            found = await client.get(f"{place['control_url']}/ledger/summary")
            assert found.json()["accepted"] == 1
        assert await trio.Path(tmp_path / "ca.pem").exists()
        assert await program.ended_by(signal.SIGTERM) == 0


async def test_for_people() -> None:
    async with Ntfy() as program:
        text = await program.said(b"/faults -d")
        table = tomllib.loads(text[text.index("[instances.ntfy]") : text.index("See what")])
        made = codec("ntfy", table["instances"]["ntfy"], 0.0)
        assert made.mint(0.0).text.reveal().startswith("Bearer tk_")
        assert await program.ended_by(signal.SIGINT) == 0

"""`booper simulate expo` as a program."""

from __future__ import annotations

import json
import signal
import ssl
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from booper.providers import codec
from tests.booper.simulators.test_simulate_command import Program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
PROGRAM = [sys.executable, "-c", "from booper.cli.simulate import app; app()", "expo"]
TOKEN = "ExponentPushToken[a]"  # a device's


class Expo(Program):
    """The running command."""

    def __init__(self, *options: str) -> None:
        self._command = [*PROGRAM, *options]


async def test_for_programs(tmp_path: Path) -> None:
    async with Expo("--json", "--secured", "--directory", str(tmp_path)) as program:
        place: dict[str, Any] = json.loads(await program.said(b"\n"))
        trust = ssl.create_default_context(cafile=place["ca_file"])
        async with httpx.AsyncClient(trust_env=False, verify=trust) as client:
            url = f"{place['url']}/--/api/v2/push"
            refused = await client.post(f"{url}/send", json={"to": TOKEN})
            assert refused.json()["errors"][0]["code"] == "UNAUTHORIZED"
            client.headers["Authorization"] = f"Bearer {place['access_token']}"
            ticket = (await client.post(f"{url}/send", json={"to": TOKEN})).json()["data"]
            asked = await client.post(f"{url}/getReceipts", json={"ids": [ticket["id"]]})
            assert asked.json() == {"data": {ticket["id"]: {"status": "ok"}}}
            found = await client.get(f"{place['control_url']}/ledger/summary")
            assert found.json()["accepted"] == 1
        assert await program.ended_by(signal.SIGTERM) == 0


async def test_for_people() -> None:
    async with Expo("--receipt-delay", "5") as program:
        text = await program.said(b"/faults -d")
        table = tomllib.loads(text[text.index("[instances.expo]") : text.index("See what")])
        made = codec("expo", table["instances"]["expo"], 0.0)
        assert len(made.mint(0.0).text.reveal()) == 40
        assert await program.ended_by(signal.SIGINT) == 0

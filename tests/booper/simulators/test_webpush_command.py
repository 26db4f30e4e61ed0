"""`booper simulate webpush` as a program."""

from __future__ import annotations

import json
import re
import signal
import ssl
import sys
import tomllib
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from booper.providers import vapid
from booper.providers.webpush import WebPush
from tests.booper.simulators.test_simulate_command import Program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
PROGRAM = [sys.executable, "-c", "from booper.cli.simulate import app; app()", "webpush"]


class WebPushService(Program):
    """The running command."""

    def __init__(self, *options: str) -> None:
        self._command = [*PROGRAM, *options]


async def test_for_programs(tmp_path: Path) -> None:
    async with WebPushService("--json", "--directory", str(tmp_path)) as program:
        place = json.loads(await program.said(b"\n"))
        pem = await trio.Path(place["key_file"]).read_text()
        assert (await trio.Path(place["key_file"]).stat()).st_mode & 0o777 == 0o600
        own = WebPush().codec("web", {"private_key": pem, "subject": place["subject"]})
        assert own.vapid.public_key == place["public_key"]
        trust = ssl.create_default_context(cafile=place["ca_file"])
        async with httpx.AsyncClient(verify=trust) as client:
            options = {"applicationServerKey": place["public_key"]}
            made = (await client.post(f"{place['url']}/subscribe", json=options)).json()
            refused = await client.post(made["endpoint"], headers={"ttl": "1"})
            assert refused.status_code == 401
            found = await client.get(f"{place['control_url']}/ledger/summary")
            assert found.json()["refused"] == {"401 VAPID is missing": 1}
        assert await program.ended_by(signal.SIGTERM) == 0


async def test_for_people() -> None:
    async with WebPushService() as program:
        text = await program.said(b"/faults -d")
        table = tomllib.loads(text[text.index("[instances") : text.index("Make a browser's")])
        assert table["guard"]["allow"] == ["127.0.0.0/8", "::1/128"]
        assert table["instances"]["webpush"]["provider"] == "webpush"
        assert vapid.checked_subject(table["instances"]["webpush"]["subject"], "own")
        hint = re.search(r"curl --cacert (\S+) (https://localhost:\d+)/subscribe -d '(.*)'", text)
        assert hint is not None
        trust = ssl.create_default_context(cafile=hint[1])
        async with httpx.AsyncClient(verify=trust) as client:
            answer = await client.post(f"{hint[2]}/subscribe", content=hint[3])
            assert answer.status_code == 201
        assert await program.ended_by(signal.SIGINT) == 0

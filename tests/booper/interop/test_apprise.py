"""A third party's ntfy client, unchanged, is satisfied by the simulator."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from booper.simulators.faults import Answer
from booper.simulators.http import HttpSimulator
from booper.simulators.ntfy import NtfyAccount, NtfyRules

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.real
SENDER = Path(__file__).with_name("apprise_sender.py")


async def told(simulator: HttpSimulator, folder: Path, *urls: str) -> list[bool]:
    """What the other program reports of a notification to each of `urls` ({} is host:port)."""
    ca_file = folder / "ca.pem"
    ca_file.write_text(simulator.ca_pem)
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        place = f"localhost:{simulator.port}"
        wanted = [{"url": url.format(place), "title": "Title", "body": "hello"} for url in urls]
        ended: subprocess.CompletedProcess[bytes] = await trio.run_process(
            [sys.executable, str(SENDER)],
            stdin=json.dumps(wanted).encode(),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env={**os.environ, "REQUESTS_CA_BUNDLE": str(ca_file), "NO_PROXY": "localhost"},
        )
        nursery.cancel_scope.cancel()
    assert ended.returncode == 0, ended.stderr.decode()
    report: list[bool] = json.loads(ended.stdout.splitlines()[-1])
    return report


@pytest.mark.parametrize("tls", [True, False])
async def test_its_messages_are_taken(tmp_path: Path, *, tls: bool) -> None:
    account = NtfyAccount(access_tokens={"tk_good"}, users={"phil": "mypass"}, open=False)
    simulator = HttpSimulator(NtfyRules(account), tls=tls)
    scheme = "ntfys" if tls else "ntfy"
    report = await told(
        simulator,
        tmp_path,
        scheme + "://phil:mypass@{}/news?priority=high&tags=disk,ok&click=https://example.org/",
        scheme + "://tk_good@{}/sport?auth=token",
        scheme + "://phil:wrong@{}/news",
        scheme + "://{}/news",
    )
    assert report == [True, True, False, False]
    first, second = account.messages
    assert (first.topic, first.title, first.message) == ("news", "Title", "hello")
    assert (first.priority, first.tags, first.click) == (4, ["disk", "ok"], "https://example.org/")
    assert (second.topic, second.message) == ("sport", "hello")
    assert simulator.ledger.by_instance() == {"phil": 1, "tk_good": 1}
    assert simulator.ledger.refused == {"40101": 1, "40301": 1}


async def test_faults_are_understood(tmp_path: Path) -> None:
    simulator = HttpSimulator(NtfyRules(), tls=False)
    simulator.faults.script(Answer(429, "42901"), device="busy")
    assert await told(simulator, tmp_path, "ntfy://{}/busy", "ntfy://{}/free") == [False, True]
    assert simulator.ledger.by_device() == {"free": 1}

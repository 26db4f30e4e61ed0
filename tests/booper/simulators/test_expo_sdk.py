"""A third party's Expo client, unchanged, is satisfied by the simulator."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.simulators.expo import ExpoAccount, ExpoRules
from booper.simulators.http import HttpSimulator

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.real
SENDER = Path(__file__).with_name("expo_sender.py")


def token(number: int) -> str:
    return f"ExponentPushToken[{number:022d}]"


@pytest.fixture
async def simulator(nursery: trio.Nursery) -> HttpSimulator:
    simulator = HttpSimulator(ExpoRules(ExpoAccount(access_tokens={"mine"})))
    await nursery.start(simulator.serve)
    return simulator


async def sent(
    simulator: HttpSimulator, folder: Path, messages: list[tuple[str, str]], **wishes: Any
) -> dict[str, Any]:
    """What the other program reports."""
    ca_file = folder / "ca.pem"
    ca_file.write_text(simulator.ca_pem)
    place = {
        "url": simulator.url,
        "access_token": "mine",
        "messages": messages,
        "anonymous_receipts": True,
        **wishes,
    }
    ended: subprocess.CompletedProcess[bytes] = await trio.run_process(
        [sys.executable, str(SENDER)],
        stdin=json.dumps(place).encode(),
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env={**os.environ, "REQUESTS_CA_BUNDLE": str(ca_file), "NO_PROXY": "localhost"},
    )
    assert ended.returncode == 0, ended.stderr.decode()
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


async def test_publish_publish_multiple_and_receipts(
    simulator: HttpSimulator, nursery: trio.Nursery, tmp_path: Path
) -> None:
    rules = simulator.rules
    assert isinstance(rules, ExpoRules)
    rules.account.ticket_errors[token(2)] = "DeviceNotRegistered"
    rules.account.receipt_errors[token(4)] = "DeviceNotRegistered"
    rules.account.receipt_errors[token(5)] = "MessageRateExceeded"
    rules.account.lost.add(token(6))
    messages = [(token(n), "x" * 5000 if n == 3 else "There") for n in range(150)]
    report = await sent(simulator, tmp_path, messages)
    assert report["tickets"] == ["ok", "ok", "not registered", "too big"] + ["ok"] * 146
    assert report["receipts"] == ["error: MessageRateExceeded", "not registered"] + ["ok"] * 145
    assert report["again"] == 147
    summary = simulator.ledger.summary()
    assert (summary.accepted, summary.duplicates) == (148, 0)
    assert rules.account.messages[0].message["title"] == "Hi"
    nursery.cancel_scope.cancel()


async def test_refusals_are_understood(
    simulator: HttpSimulator, nursery: trio.Nursery, tmp_path: Path
) -> None:
    report = await sent(simulator, tmp_path, [(token(1), "x")], access_token="other")
    assert report == {"error": ["UNAUTHORIZED"]}
    rules = simulator.rules
    assert isinstance(rules, ExpoRules)
    rules.account.projects[token(2)] = "@other/app"
    report = await sent(simulator, tmp_path, [(token(n), "x") for n in range(4)])
    assert report == {"error": ["PUSH_TOO_MANY_EXPERIENCE_IDS"]}
    nursery.cancel_scope.cancel()

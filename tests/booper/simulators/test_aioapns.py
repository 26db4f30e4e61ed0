"""A third party's APNs client, unchanged, is satisfied by the simulator."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.simulators.apns import Registration
from booper.simulators.faults import Answer
from tests.booper.simulators.conftest import TOPIC

if TYPE_CHECKING:
    import subprocess

    from booper.simulators.apns import ApnsSimulator, SigningKey

pytestmark = pytest.mark.real
SENDER = Path(__file__).with_name("aioapns_sender.py")


async def sent(
    simulator: ApnsSimulator, key: SigningKey, folder: Path, **wishes: Any
) -> dict[str, Any]:
    """What the other program reports."""
    ca_file = folder / "ca.pem"
    ca_file.write_text(simulator.ca_pem)
    place = {
        "port": simulator.port,
        "ca_file": str(ca_file),
        "key": key.private_key_pem,
        "key_id": key.team_key.key_id,
        "team_id": key.team_key.team_id,
        "topic": TOPIC,
        "connections": 1,
        "good": 0,
        "others": [],
        **wishes,
    }
    ended: subprocess.CompletedProcess[bytes] = await trio.run_process(
        [sys.executable, str(SENDER)],
        stdin=json.dumps(place).encode(),
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert b"Unknown event" not in ended.stderr
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


@pytest.mark.parametrize("connections", [1, 4])
async def test_a_thousand_pushes_are_accepted(
    simulator: ApnsSimulator, key: SigningKey, tmp_path: Path, connections: int
) -> None:
    report = await sent(simulator, key, tmp_path, good=1000, connections=connections)
    assert report == {"statuses": {"200": 1000}, "refused": []}
    summary = simulator.ledger.summary()
    assert (summary.accepted, summary.distinct, summary.refused) == (1000, 1000, {})
    assert simulator.ledger.by_device() == {f"{number:064x}": 1 for number in range(1000)}


async def test_refusals_are_understood(
    simulator: ApnsSimulator, key: SigningKey, tmp_path: Path
) -> None:
    gone, busy, moved = "aa" * 32, "bb" * 32, "cc" * 32
    simulator.account.unregister(gone, 1_700_000_000_000)
    simulator.account.register(moved, Registration(topic="org.example.other"))
    simulator.faults.script(Answer(503, "ServiceUnavailable"), device=busy)
    others = [gone, "not-a-device", busy, moved, gone]
    report = await sent(simulator, key, tmp_path, good=3, others=others)
    assert report["statuses"] == {"200": 3}
    assert report["refused"] == [
        ["410", "Unregistered", 1_700_000_000_000],
        ["400", "BadDeviceToken", None],
        ["503", "ServiceUnavailable", None],
        ["400", "DeviceTokenNotForTopic", None],
        ["410", "Unregistered", 1_700_000_000_000],
    ]


async def test_a_key_apple_does_not_know_is_refused(
    simulator: ApnsSimulator, key: SigningKey, tmp_path: Path
) -> None:
    simulator.account.revoke_key(key.team_key.key_id)
    report = await sent(simulator, key, tmp_path, good=20)
    assert report["statuses"] == {"403": 20}
    assert report["refused"] == [["403", "InvalidProviderToken", None]] * 20
    assert len(simulator.ledger) == 0

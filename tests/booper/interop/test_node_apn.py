"""A third party's APNs client for node, unchanged, is satisfied by the simulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.simulators.apns import Account, ApnsSimulator, generate_certificate, generate_key

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.real
SENDER = Path(__file__).with_name("node_apn.js")
TOPIC = "com.example.app"
KEY = generate_key(topics=frozenset({TOPIC}))
TOKEN = {"key": KEY.private_key_pem, "keyId": KEY.team_key.key_id, "teamId": KEY.team_key.team_id}


async def sent(
    modules: Path, simulator: ApnsSimulator, pushes: list[dict[str, Any]], **wishes: Any
) -> dict[str, Any]:
    """What the other program reports; `wishes` are provider options, and a topic."""
    place = {
        "topic": wishes.pop("topic", TOPIC),
        "pushes": pushes,
        "provider": {
            "address": "localhost",
            "port": simulator.port,
            "ca": simulator.ca_pem,
            "production": True,
            **(wishes or {"token": TOKEN}),
        },
    }
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        place["provider"]["port"] = simulator.port
        ended: subprocess.CompletedProcess[bytes] = await trio.run_process(
            ["node", str(SENDER)],
            stdin=json.dumps(place).encode(),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env={"NODE_PATH": str(modules), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        )
        nursery.cancel_scope.cancel()
    assert ended.returncode == 0, ended.stderr.decode()
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


def known() -> ApnsSimulator:
    return ApnsSimulator(Account([KEY.team_key]))


async def test_pushes_of_every_kind_are_accepted(node_modules: Path) -> None:
    simulator = known()
    pushes: list[dict[str, Any]] = [
        {"device": f"{number:064x}", "alert": {"title": "t", "body": "b"}, "badge": number}
        for number in range(200)
    ]
    pushes += [
        {"device": "aa" * 32, "contentAvailable": True, "pushType": "background", "priority": 5},
        {"device": "bb" * 32, "alert": "x", "collapseId": "c", "expiry": 2_000_000_000},
    ]
    report = await sent(node_modules, simulator, pushes)
    assert report == {"sent": 202, "failed": []}
    assert simulator.ledger.by_device() == {push["device"]: 1 for push in pushes}


async def test_refusals_are_understood(node_modules: Path) -> None:
    simulator = known()
    simulator.account.unregister("aa" * 32, 1_700_000_000_000)
    pushes = [{"device": device, "alert": "x"} for device in ("aa" * 32, "abc", "cc" * 32)]
    report = await sent(node_modules, simulator, pushes)
    assert report["sent"] == 1
    assert {(one["status"], one["reason"], one["timestamp"]) for one in report["failed"]} == {
        (410, "Unregistered", 1_700_000_000_000),
        (400, "BadDeviceToken", None),
    }


async def test_a_certificate_does_instead_of_a_key(node_modules: Path) -> None:
    simulator = ApnsSimulator()
    issued = generate_certificate(simulator.authority, TOPIC)
    shown = {"cert": issued.pem, "key": issued.private_key_pem}
    pushes = [{"device": f"{number:064x}", "alert": "x"} for number in range(20)]
    assert await sent(node_modules, simulator, pushes, **shown) == {"sent": 20, "failed": []}
    assert simulator.ledger.by_instance() == {f"certificate/{TOPIC}": 20}

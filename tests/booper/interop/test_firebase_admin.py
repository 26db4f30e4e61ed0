"""A third party's FCM client, unchanged, is satisfied by the simulator."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.simulators.faults import Answer
from booper.simulators.fcm import FcmSimulator, Project, generate_account

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.real
SENDER = Path(__file__).with_name("firebase_sender.py")
ISSUED = generate_account("my-project")
DEVICES = [f"device{number:04}:abcdefgh" for number in range(20)]


async def sent(simulator: FcmSimulator, folder: Path, *sends: dict[str, Any]) -> list[Any]:
    """What the other program reports of each of `sends`."""
    ca_file = folder / "ca.pem"
    ca_file.write_text(simulator.ca_pem)
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        place = {
            "url": simulator.url,
            "account": json.loads(ISSUED.file(simulator.token_uri)),
            "sends": [{"way": "send", "dry_run": False, **wanted} for wanted in sends],
        }
        ended: subprocess.CompletedProcess[bytes] = await trio.run_process(
            [sys.executable, str(SENDER)],
            stdin=json.dumps(place).encode(),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env={
                **os.environ,
                "REQUESTS_CA_BUNDLE": str(ca_file),
                "SSL_CERT_FILE": str(ca_file),
                "NO_PROXY": "localhost",
            },
        )
        nursery.cancel_scope.cancel()
    assert ended.returncode == 0, ended.stderr.decode()
    report: list[Any] = json.loads(ended.stdout)
    return report


def known() -> FcmSimulator:
    return FcmSimulator(Project("my-project", [ISSUED.account]))


async def test_every_way_of_sending_is_accepted(tmp_path: Path) -> None:
    simulator = known()
    rich = {
        "token": DEVICES[0],
        "data": {"k": "v"},
        "notification": {"title": "t", "body": "b", "image": "https://e.example/i.png"},
        "android": {"ttl": 3600, "priority": "high", "collapse_key": "c"},
    }
    topics = [{"topic": "news"}, {"condition": "'a' in topics && !('b' in topics)"}]
    one, each, later, dry, many = await sent(
        simulator,
        tmp_path,
        {"messages": [rich]},
        {"way": "each", "messages": [{"token": device} for device in DEVICES]},
        {"way": "each_async", "messages": [{"token": device} for device in DEVICES]},
        {"dry_run": True, "messages": [rich]},
        {"messages": topics},
    )
    names = [*one, *each, *later, *many]
    assert all(name.startswith("projects/my-project/messages/0:") for name in names), names
    assert len(set(names)) == len(names) == 43
    assert dry == ["projects/my-project/messages/fake_message_id"]
    counts = simulator.ledger.by_device()
    assert counts.pop("topic:news") == 1
    assert counts.pop("condition:'a' in topics && !('b' in topics)") == 1
    assert counts == {device: 2 + (device == DEVICES[0]) for device in DEVICES}
    assert simulator.ledger.refused == {"VALIDATE_ONLY": 1}
    assert simulator.credentials.exchanges >= 1


async def test_refusals_are_understood(tmp_path: Path) -> None:
    simulator = known()
    simulator.project.unregister(DEVICES[1])
    simulator.project.register(DEVICES[2], "SENDER_ID_MISMATCH")
    simulator.faults.script(Answer(429, "QUOTA_EXCEEDED"), device=DEVICES[3])
    simulator.faults.script(Answer(401, "THIRD_PARTY_AUTH_ERROR"), device=DEVICES[4])
    (found,) = await sent(
        simulator,
        tmp_path,
        {"messages": [{"token": device} for device in [*DEVICES[1:5], "junk"]]},
    )
    assert [(name, code) for name, code, _ in found] == [
        ("UnregisteredError", "NOT_FOUND"),
        ("SenderIdMismatchError", "PERMISSION_DENIED"),
        ("QuotaExceededError", "RESOURCE_EXHAUSTED"),
        ("ThirdPartyAuthError", "UNAUTHENTICATED"),
        ("InvalidArgumentError", "INVALID_ARGUMENT"),
    ]
    assert found[-1][2] == "The registration token is not a valid FCM registration token"


async def test_a_key_google_does_not_know_is_refused(tmp_path: Path) -> None:
    simulator = known()
    simulator.project.revoke_key(ISSUED.account.key_id)
    (((name, _, words),),) = await sent(simulator, tmp_path, {"messages": [{"token": DEVICES[0]}]})
    assert name == "RefreshError"
    assert "invalid_grant" in words
    assert simulator.ledger.refused == {"invalid_grant": 1}

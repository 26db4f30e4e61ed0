"""A house with three instances: Google, Apple by key, and Apple by certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.simulators.apns import Account, ApnsSimulator, generate_certificate
from booper.simulators.fcm import FcmSimulator, Project, generate_account
from tests.booper.journeys.house import TOPIC, Journey, device_token, journey

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
ISSUED = generate_account("my-project")
GOOD, GONE = "device-good:00000001", "device-gone:00000001"


def tables(google: FcmSimulator, apple: ApnsSimulator, folder: Path) -> dict[str, dict[str, Any]]:
    """The settings of the two instances that every journey does not have."""
    ca_file, apple_ca = folder / "google.pem", folder / "apple.pem"
    ca_file.write_text(google.ca_pem)
    apple_ca.write_text(apple.ca_pem)
    shown = generate_certificate(apple.authority, TOPIC)
    return {
        "google": {
            "provider": "fcm",
            "credentials": ISSUED.file(google.token_uri),
            "url": google.url,
            "ca_file": str(ca_file),
        },
        "certified": {
            "provider": "apns",
            "topic": TOPIC,
            "certificate": shown.pem + shown.private_key_pem,
            "url": apple.url,
            "ca_file": str(apple_ca),
        },
    }


async def subscribe(house: Journey, provider: str, device: str, **fields: str) -> None:
    body = {"provider": provider, "device_token": device, **fields}
    answer = await house.client.post("/api/devices", json=body)
    assert answer.status_code == 201, answer.text
    body = {"channel": "news", "device_id": answer.json()["id"]}
    assert (await house.client.post("/api/subscriptions", json=body)).status_code == 201


async def test_one_message_reaches_all_three_in_their_own_words(tmp_path: Path) -> None:
    google = FcmSimulator(Project("my-project", [ISSUED.account]))
    google.project.unregister(GONE)
    apple = ApnsSimulator(Account())
    async with trio.open_nursery() as nursery:
        await nursery.start(google.serve)
        await nursery.start(apple.serve)
        others = tables(google, apple, tmp_path)
        async with journey(tmp_path, others=others, defaults={"apns": "apns"}) as house:
            await subscribe(house, "fcm", GOOD)
            await subscribe(house, "fcm", GONE)
            await subscribe(house, "fcm", "topic:/topics/news")
            await subscribe(house, "apns", device_token(1))
            await subscribe(house, "apns", device_token(2), instance="certified")
            own = await house.notify(
                title_loc_key="HELLO",
                title_loc_args=["Ann"],
                raw={
                    "apns": {"aps": {"target-content-id": "w1"}},
                    "fcm": {"message": {"fcm_options": {"analytics_label": "hello"}}},
                },
            )
            counts = (await house.done(own))["counts"]
            assert (counts["accepted"], counts["gone"], counts["failed"]) == (4, 1, 0)
            own = await house.notify(form="voip", data={"call": 7}, ttl=30)
            counts = (await house.done(own))["counts"]
            assert (counts["accepted"], counts["gone"]) == (4, 0), "what is gone gets no more"
            own = await house.notify(live_activity={"event": "update", "state": {"eta": 5}})
            shown = await house.done(own)
            assert (shown["counts"]["accepted"], shown["counts"]["failed"]) == (1, 3)
            assert house.apple.ledger.by_device() == {device_token(1): 3}
        nursery.cancel_scope.cancel()
    assert google.ledger.by_device() == {GOOD: 2, "topic:news": 2}
    assert google.ledger.refused == {"UNREGISTERED": 1}
    assert apple.ledger.by_instance() == {
        f"certificate/{TOPIC}": 1,
        f"certificate/{TOPIC}.voip": 1,
    }

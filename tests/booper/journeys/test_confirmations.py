"""From the push that carries the notification's id to the count of who opened it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from tests.booper.journeys.test_web_push import KEYS, LOOPBACK, browsers

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real


async def test_service_workers_confirm_what_they_read(tmp_path: Path) -> None:
    async with browsers(tmp_path, allow=LOOPBACK) as house:
        there = [house.service.subscribe(KEYS.public_key) for _ in range(3)]
        secrets = []
        for subscription in there:
            body = {"provider": "webpush", "subscription": subscription}
            made = (await house.client.post("/api/devices", json=body)).json()
            secrets.append({"Authorization": f"Device {made['id']}.{made['secret']}"})
            body = {"channel": "news", "device_id": made["id"]}
            answer = await house.client.post("/api/subscriptions", json=body)
            assert answer.status_code == 201, answer.text
        own = await house.notify(title="Hello")

        async def worker(place: int, *words: str) -> None:
            """As soon as the push is there, perhaps before its outcome is written."""
            with trio.fail_after(30):
                while not house.service.texts(there[place]):
                    await trio.sleep(0.005)
            (text,) = house.service.texts(there[place])
            read = json.loads(text)["id"]
            async with httpx.AsyncClient(base_url=house.booper.url) as client:
                for word in (*words, *words):
                    path = f"/api/notifications/{read}/{word}"
                    answer = await client.post(path, headers=secrets[place])
                    assert answer.status_code == 204, answer.text

        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker, 0, "delivered")
            nursery.start_soon(worker, 1, "delivered", "opened")
        with trio.fail_after(30):
            while (shown := await house.progress(own))["counts"]["delivered"] < 2:
                await trio.sleep(0.05)
        counts = shown["counts"]
        assert (shown["state"], counts["accepted"], shown["opened"]) == ("done", 1, 1)
        assert shown["devices"] == sum(counts.values())
        found = await house.client.get(f"/api/notifications/{own}/deliveries")
        words = [
            (one["outcome"], one["delivered_at"] is not None, one["opened_at"] is not None)
            for one in found.json()["data"]
        ]
        assert sorted(words) == [
            ("accepted", False, False),
            ("delivered", True, False),
            ("delivered", True, True),
        ]
        answer = await house.client.post(f"/api/notifications/{own}/opened")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")

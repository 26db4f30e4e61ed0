"""In by HTTP with a browser's subscription, encrypted, over TLS to a push service, decrypted."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from booper import wiring
from booper.providers import vapid
from booper.settings import Delivery, Guard, Http, Public, Settings
from booper.simulators.faults import Answer, Reset
from booper.simulators.webpush import WebPushSimulator
from tests.booper.journeys.house import Journey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.real
KEYS = vapid.generate()


class Browsers(Journey):
    """A running house, a push service with its browsers, and a client at the front door."""

    def __init__(
        self, booper: wiring.Booper, service: WebPushSimulator, client: httpx.AsyncClient
    ) -> None:
        self.booper = booper
        self.service = service
        self.client = client

    async def join(self, subscription: dict[str, Any], channel: str = "news") -> None:
        """Register a subscription, and let it listen."""
        body: dict[str, Any] = {"provider": "webpush", "subscription": subscription}
        answer = await self.client.post("/api/devices", json=body)
        assert answer.status_code == 201, answer.text
        body = {"channel": channel, "device_id": answer.json()["id"]}
        answer = await self.client.post("/api/subscriptions", json=body)
        assert answer.status_code == 201, answer.text


@asynccontextmanager
async def browsers(folder: Path, *, allow: list[str]) -> AsyncIterator[Browsers]:
    service = WebPushSimulator()
    async with trio.open_nursery() as nursery:
        await nursery.start(service.serve)
        (folder / "ca.pem").write_text(service.ca_pem)
        table = {
            "provider": "webpush",
            "private_key": KEYS.private_key.reveal(),
            "subject": "mailto:ops@example.com",
            "ca_file": str(folder / "ca.pem"),
        }
        settings = Settings(
            database=f"sqlite:{folder / 'booper.sqlite3'}",
            shutdown=5.0,
            http=Http(port=0),
            public=Public(per_address=0, per_channel=0, changes_per_address=0),
            delivery=Delivery(tick=0.1),
            guard=Guard(allow),
            instances={"web": table},
        )
        async with trio.open_nursery() as inner:
            booper: wiring.Booper = await inner.start(wiring.run, settings)
            async with httpx.AsyncClient(base_url=booper.url, timeout=20) as client:
                yield Browsers(booper, service, client)
            booper.stop()
        nursery.cancel_scope.cancel()


LOOPBACK = ["127.0.0.0/8", "::1/128"]


async def test_every_browser_reads_exactly_what_was_said(tmp_path: Path) -> None:
    async with browsers(tmp_path, allow=LOOPBACK) as house:
        there = [house.service.subscribe(KEYS.public_key) for _ in range(30)]
        for subscription in there:
            await house.join(subscription)
        shown = await house.done(
            await house.notify(
                title="Grüße 👋",
                body="zum Fest",
                url="https://shop.example/1",
                data={"n": [1, None]},
                raw={"webpush": {"notification": {"lang": "de"}}},
            )
        )
        assert (shown["devices"], shown["counts"]["accepted"]) == (30, 30)
        for subscription in there:
            (text,) = house.service.texts(subscription)
            said = json.loads(text)
            assert said["web_push"] == 8030
            assert said["notification"].pop("tag")
            assert said["notification"] == {
                "title": "Grüße 👋",
                "body": "zum Fest",
                "navigate": "https://shop.example/1",
                "data": {"n": [1, None]},
                "lang": "de",
            }
        summary = house.service.ledger.summary()
        assert (summary.accepted, summary.duplicates, summary.refused) == (30, 0, {})


async def test_what_goes_wrong_goes_wrong_alone(tmp_path: Path) -> None:
    async with browsers(tmp_path, allow=LOOPBACK) as house:
        good, ended, stale, busy, lost = [
            house.service.subscribe(KEYS.public_key),
            house.service.subscribe(KEYS.public_key),
            house.service.subscribe(vapid.generate().public_key),
            house.service.subscribe(KEYS.public_key),
            house.service.subscribe(KEYS.public_key),
        ]
        await house.join(good)
        await house.done(await house.notify(body="first"))  # the key is proved
        for subscription in (ended, stale, busy, lost):
            await house.join(subscription)
        faults = house.service.faults
        names = [str(one["endpoint"]).rpartition("/")[2] for one in (ended, busy, lost)]
        faults.script(Answer(410), device=names[0], times=1)
        faults.script(Answer(503, retry_after=1), device=names[1], times=1)
        faults.script(Reset(accepted=True), device=names[2], times=1)
        shown = await house.done(await house.notify(body="second"))
        counts = shown["counts"]
        assert (counts["accepted"], counts["gone"], counts["failed"]) == (3, 1, 1)
        assert shown["maybe_doubled"] == 1
        for one in (busy, lost):
            assert len(house.service.texts(one)) == 1, "a double replaces itself"
        standing = await house.standing("web")
        assert standing is not None
        assert standing["state"] == "ready"
        later = await house.done(await house.notify(body="third"))
        assert (later["devices"], later["counts"]["accepted"]) == (4, 3)


async def test_a_hostile_service_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """Its endpoints refuse everything, from the first message on; the instance stays ready."""
    async with browsers(tmp_path, allow=LOOPBACK) as house:
        hostile = [house.service.subscribe(KEYS.public_key) for _ in range(10)]
        for subscription in hostile:
            await house.join(subscription, "bad")
            name = str(subscription["endpoint"]).rpartition("/")[2]
            house.service.faults.script(Answer(403, "Forbidden"), device=name)
        own = await house.notify("bad", body="x")
        with trio.fail_after(20):
            while house.service.ledger.refused.total() < 10:
                await trio.sleep(0.02)
        good = house.service.subscribe(KEYS.public_key)
        await house.join(good)
        shown = await house.done(await house.notify(body="y"))
        assert shown["counts"]["accepted"] == 1
        standing = await house.standing("web")
        assert standing is not None
        assert standing["state"] == "ready"
        assert (await house.progress(own))["pending"] == 10, "tried again later, for a while"


async def test_an_address_inside_is_refused_at_the_door(tmp_path: Path) -> None:
    async with browsers(tmp_path, allow=[]) as house:
        body = {"provider": "webpush", "subscription": house.service.subscribe(KEYS.public_key)}
        answer = await house.client.post("/api/devices", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "forbidden_url")
        assert house.service.connections_total == 0

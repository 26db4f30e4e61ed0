"""A whole Booper on loopback for a journey: real store, real sockets, simulated Apple."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import trio

from booper import wiring
from booper.settings import Delivery, Http, Settings
from booper.simulators.apns import Account, ApnsSimulator, SigningKey, generate_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from booper.providers.provider import Codec

TOPIC = "com.example.app"


def device_token(number: int) -> str:
    """A well-formed device token, one per number."""
    return f"{number:064x}"


def instance_table(simulator: ApnsSimulator, key: SigningKey, ca_file: Path) -> dict[str, Any]:
    """The settings that point an instance at the simulator."""
    ca_file.write_text(simulator.ca_pem)
    return {
        "provider": "apns",
        "key_id": key.team_key.key_id,
        "team_id": key.team_key.team_id,
        "topic": TOPIC,
        "private_key": key.private_key_pem,
        "url": simulator.url,
        "ca_file": str(ca_file),
    }


class Journey:
    """A running house, its Apple, and a client at its front door."""

    def __init__(
        self, booper: wiring.Booper, apple: ApnsSimulator, client: httpx.AsyncClient
    ) -> None:
        self.booper = booper
        self.apple = apple
        self.client = client

    async def register(self, count: int, channel: str = "news", **fields: Any) -> list[str]:
        """Devices 0..count by HTTP, each subscribed; their ids."""
        ids = []
        for number in range(count):
            body = {"provider": "apns", "device_token": device_token(number), **fields}
            answer = await self.client.post("/api/devices", json=body)
            assert answer.status_code == 201, answer.text
            ids.append(answer.json()["id"])
            body = {"channel": channel, "device_id": ids[-1]}
            answer = await self.client.post("/api/subscriptions", json=body)
            assert answer.status_code == 201, answer.text
        return ids

    async def notify(self, channel: str = "news", **content: Any) -> str:
        """Accepted, or the test fails; the notification's id."""
        content.setdefault("title", "Hello")
        answer = await self.client.post("/api/notify", json={"channel": channel, **content})
        assert answer.status_code == 202, answer.text
        own: str = answer.json()["id"]
        return own

    async def progress(self, own: str) -> dict[str, Any]:
        answer = await self.client.get(f"/api/notifications/{own}")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    async def done(self, own: str, patience: float = 30.0) -> dict[str, Any]:
        """The account once every device has its outcome."""
        with trio.fail_after(patience):
            while (shown := await self.progress(own))["state"] != "done":
                await trio.sleep(0.02)
        return shown


@asynccontextmanager
async def journey(
    folder: Path,
    *,
    apple: ApnsSimulator | None = None,
    instances: tuple[str, ...] = ("apns",),
    defaults: Mapping[str, str] | None = None,
    codecs: Mapping[str, Codec] | None = None,
    delivery: Delivery | None = None,
    **more: Any,
) -> AsyncIterator[Journey]:
    """Everything started, and stopped in order at the end."""
    key = generate_key()
    apple = apple or ApnsSimulator(Account())
    apple.account.add_key(key.team_key)
    async with trio.open_nursery() as nursery:
        await nursery.start(apple.serve)
        table = instance_table(apple, key, folder / "ca.pem")
        settings = Settings(
            database=f"sqlite:{folder / 'booper.sqlite3'}",
            shutdown=5.0,
            http=Http(port=0),
            delivery=delivery or Delivery(tick=0.2),
            instances=dict.fromkeys(instances, table),
            defaults=dict(defaults or {}),
            **more,
        )
        async with trio.open_nursery() as inner:
            booper: wiring.Booper = await inner.start(_run, settings, codecs)
            async with httpx.AsyncClient(base_url=booper.url, timeout=20) as client:
                yield Journey(booper, apple, client)
            booper.stop()
        nursery.cancel_scope.cancel()


async def _run(
    settings: Settings,
    codecs: Mapping[str, Codec] | None,
    *,
    task_status: trio.TaskStatus[wiring.Booper],
) -> None:
    await wiring.run(settings, codecs=codecs, task_status=task_status)

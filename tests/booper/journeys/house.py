"""A whole Booper on loopback for a journey: real store, real sockets, simulated Apple."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import trio

from booper import wiring
from booper.providers import codec
from booper.settings import Delivery, Http, Public, Settings
from booper.simulators.apns import Account, ApnsSimulator, SigningKey, generate_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from booper.ports import Transport
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

    async def tree(self) -> dict[str, Any]:
        """Every child of the tree by its id, as the admin API shows them."""
        found: dict[str, Any] = {}
        level = [(await self.client.get("/api/admin/tree")).json()]
        while level:
            for child in level:
                found[f"{child['kind']}:{child['id']}"] = child
            level = [inner for child in level for inner in child["children"]]
        return found

    async def standing(self, name: str = "apns") -> dict[str, Any] | None:
        """One instance's standing."""
        answer = await self.client.get("/api/admin/instances")
        shown = {one["name"]: one for one in answer.json()["instances"]}
        standing: dict[str, Any] | None = shown[name]["standing"]
        return standing

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
            while (shown := await self.progress(own))["finished_at"] is None:
                await trio.sleep(0.02)
        return shown


@asynccontextmanager
async def journey(
    folder: Path,
    *,
    apple: ApnsSimulator | None = None,
    instances: tuple[str, ...] = ("apns",),
    defaults: Mapping[str, str] | None = None,
    wrap: Callable[[str, Codec], Codec] | None = None,
    transport: Transport | None = None,
    delivery: Delivery | None = None,
    others: Mapping[str, dict[str, Any]] | None = None,
    **more: Any,
) -> AsyncIterator[Journey]:
    """Everything started, and stopped in order at the end; `others`: instances by their tables."""
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
            public=Public(per_address=0, per_channel=0, changes_per_address=0),
            delivery=delivery or Delivery(tick=0.2),
            instances={**dict.fromkeys(instances, table), **(others or {})},
            defaults=dict(defaults or {}),
            **more,
        )
        async with trio.open_nursery() as inner:
            wrapped: dict[str, Codec] = {}

            def make(name: str, table: Mapping[str, object], now: float) -> Codec:
                made = codec(name, table, now)
                if wrap is None:
                    return made
                same = repr((name, sorted(table.items())))
                return wrapped.setdefault(same, wrap(name, made))

            run = partial(wiring.run, settings, make=make, transport=transport)
            booper: wiring.Booper = await inner.start(run)
            async with httpx.AsyncClient(base_url=booper.url, timeout=20) as client:
                yield Journey(booper, apple, client)
            booper.stop()
        nursery.cancel_scope.cancel()

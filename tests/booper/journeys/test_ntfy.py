"""From POST /api/notify to an ntfy server over HTTP/1.1, and to UnifiedPush endpoints."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from booper import wiring
from booper.settings import Delivery, Guard, Http, Public, Settings
from booper.simulators.faults import Answer, Hangup, Reset
from booper.simulators.http import HttpSimulator
from booper.simulators.ntfy import NtfyAccount, NtfyRules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.real


class House:
    """A running Booper with one ntfy instance, and a client at its front door."""

    def __init__(
        self, account: NtfyAccount, server: HttpSimulator, client: httpx.AsyncClient
    ) -> None:
        self.account = account
        self.server = server
        self.client = client

    async def listen(self, device_token: str) -> httpx.Response:
        """Register a device and subscribe it."""
        body = {"provider": "ntfy", "device_token": device_token}
        registered = await self.client.post("/api/devices", json=body)
        if registered.status_code == 201:
            body = {"channel": "news", "device_id": registered.json()["id"]}
            answer = await self.client.post("/api/subscriptions", json=body)
            assert answer.status_code == 201, answer.text
        return registered

    async def notify(self, **content: Any) -> str:
        body = {"channel": "news", "title": "Hello", **content}
        answer = await self.client.post("/api/notify", json=body)
        assert answer.status_code == 202, answer.text
        own: str = answer.json()["id"]
        return own

    async def done(self, own: str) -> dict[str, Any]:
        """The account once every device has its outcome."""
        with trio.fail_after(30):
            while True:
                shown: dict[str, Any] = (await self.client.get(f"/api/notifications/{own}")).json()
                if shown["finished_at"]:
                    return shown
                await trio.sleep(0.02)

    async def counts(self, **content: Any) -> dict[str, int]:
        """What became of one notification, by outcome; those that did not occur are left out."""
        counts = (await self.done(await self.notify(**content)))["counts"]
        return {kind: count for kind, count in counts.items() if count}

    async def standing(self) -> dict[str, Any]:
        answer = await self.client.get("/api/admin/instances")
        (only,) = answer.json()["instances"]
        found: dict[str, Any] = only["standing"]
        return found


@asynccontextmanager
async def house(
    folder: Path, *, access_token: str = "tk_good", allow: tuple[str, ...] = ()
) -> AsyncIterator[House]:
    """Everything started, and stopped in order at the end."""
    account = NtfyAccount(access_tokens={"tk_good"}, open=False)
    server = HttpSimulator(NtfyRules(account))
    ca_file = folder / "ca.pem"
    ca_file.write_text(server.ca_pem)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        settings = Settings(
            database=f"sqlite:{folder / 'booper.sqlite3'}",
            shutdown=5.0,
            http=Http(port=0),
            public=Public(per_address=0, per_channel=0, changes_per_address=0),
            delivery=Delivery(tick=0.2),
            guard=Guard(allow=list(allow)),
            instances={
                "phone": {
                    "provider": "ntfy",
                    "url": server.url,
                    "access_token": access_token,
                    "ca_file": str(ca_file),
                }
            },
        )
        async with trio.open_nursery() as inner:
            booper: wiring.Booper = await inner.start(partial(wiring.run, settings))
            async with httpx.AsyncClient(base_url=booper.url, timeout=20) as client:
                yield House(account, server, client)
            booper.stop()
        nursery.cancel_scope.cancel()


async def test_topics_get_a_notification_once_each(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for number in range(20):
            assert (await home.listen(f"topic-{number}")).status_code == 201
        assert await home.counts(body="World", priority="normal") == {"accepted": 20}
        assert home.server.ledger.by_device() == {f"topic-{n}": 1 for n in range(20)}
        message = home.account.messages[0]
        assert (message.title, message.message) == ("Hello", "World")
        assert home.server.ledger.by_instance() == {"tk_good": 20}
        assert home.server.connections_total <= 6


async def test_breaks_cost_nothing_and_doubles_carry_the_same_id(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for number in range(6):
            await home.listen(f"topic-{number}")
        faults = home.server.faults
        faults.script(Hangup(), device="topic-1", times=1)
        faults.script(Reset(accepted=True), device="topic-2", times=1)
        faults.script(Answer(429, "42901", retry_after=0), device="topic-3", times=1)
        own = await home.notify()
        shown = await home.done(own)
        assert shown["counts"]["accepted"] == 6
        assert shown["retried"] == 3
        assert shown["maybe_doubled"] == 2
        assert home.server.ledger.doubled() == {("topic-2", own): 2}, "it replaces itself"


async def test_a_bad_topic_is_gone_and_a_bad_key_is_a_state(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await home.listen("docs")
        await home.listen("fine")
        assert await home.counts() == {"accepted": 1, "gone": 1}
        home.account.access_tokens.clear()
        own = await home.notify()
        with trio.fail_after(10):
            while (await home.standing())["state"] != "refused":
                await trio.sleep(0.05)
        shown = (await home.client.get(f"/api/notifications/{own}")).json()
        assert (shown["state"], shown["pending"]) == ("sending", 1)


async def test_an_endpoint_is_called_if_the_operator_allows_its_network(tmp_path: Path) -> None:
    async with house(tmp_path, allow=("127.0.0.0/8", "::1/128")) as home:
        url = f"{home.server.url}/upABC?up=1"
        assert (await home.listen(url)).status_code == 201
        assert await home.counts(data={"x": 1}) == {"accepted": 1}
        assert home.server.ledger.by_device() == {"upABC": 1}
        assert '"data":{"x":1}' in home.account.messages[0].message


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:8443/up", "https://localhost/up", "https://169.254.169.254/latest"]
)
async def test_an_endpoint_inside_is_refused_at_the_door(tmp_path: Path, url: str) -> None:
    async with house(tmp_path) as home:
        answer = await home.listen(url)
        assert answer.status_code == 422
        assert answer.json()["code"] == "forbidden_url"
        assert home.server.connections_total == 0


async def test_an_endpoint_at_which_nobody_listens_for_a_day_is_dropped(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await home.listen("topic-1")
        await home.listen("topic-2")
        home.server.faults.script(Answer(507, "50701"), device="topic-1")
        assert await home.counts(ttl=0) == {"accepted": 1, "expired": 1}
        assert await home.counts(ttl=0) == {"accepted": 1, "expired": 1}
        with closing(sqlite3.connect(tmp_path / "booper.sqlite3")) as rows, rows:
            rows.execute("UPDATE absences SET since = since - 86400")
            rows.execute("UPDATE devices SET registered_at = registered_at - 86400")
        assert await home.counts(ttl=0) == {"accepted": 1, "gone": 1}
        assert await home.counts(ttl=0) == {"accepted": 1}


async def test_a_server_that_locks_us_out_is_left_alone(tmp_path: Path) -> None:
    """42909: too many failed authentications."""
    async with house(tmp_path) as home:
        await home.listen("topic-1")
        home.server.faults.script(Answer(429, "42909"))
        own = await home.notify()
        with trio.fail_after(10):
            while (standing := await home.standing())["breaker"] != "open":
                await trio.sleep(0.02)
        assert (standing["state"], standing["last_error"]) == ("refused", "42909")
        assert 50 < standing["pause"] <= 66
        shown = (await home.client.get(f"/api/notifications/{own}")).json()
        assert (shown["pending"], shown["retried"]) == (1, 1)

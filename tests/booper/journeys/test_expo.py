"""In by HTTP, out to Expo a hundred at a time, and a day of receipts, on real sockets."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from booper import wiring
from booper.clock import SystemClock
from booper.settings import Delivery, Http, Public, Settings
from booper.simulators.expo import ExpoAccount, ExpoRules
from booper.simulators.faults import Answer, Reset
from booper.simulators.http import HttpSimulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.real


def token(number: int) -> str:
    return f"ExponentPushToken[{number:022d}]"


class Ahead(SystemClock):
    """The machine's clock, put forward by hand."""

    ahead = 0.0

    def wall(self) -> float:
        return super().wall() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Journey:
    """A running house, its Expo, its clock, and a client at its front door."""

    def __init__(
        self, expo: HttpSimulator, account: ExpoAccount, clock: Ahead, client: httpx.AsyncClient
    ) -> None:
        self.expo = expo
        self.account = account
        self.clock = clock
        self.client = client

    def forward(self, seconds: float) -> None:
        """Later, for us and for Expo."""
        self.clock.ahead += seconds

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.client.post(path, json=body)
        assert answer.status_code in (201, 202), answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def register(self, count: int) -> None:
        for number in range(count):
            device = await self.post("/api/devices", provider="expo", device_token=token(number))
            await self.post("/api/subscriptions", channel="news", device_id=device["id"])

    async def shown(self, own: str, **counts: int) -> dict[str, Any]:
        """The account of a notification once its counts are these, and all others 0."""
        with trio.fail_after(20):
            while True:
                answer = (await self.client.get(f"/api/notifications/{own}")).json()
                if {key: n for key, n in answer["counts"].items() if n} == counts:
                    return dict(answer)
                await trio.sleep(0.02)

    async def retried(self, own: str, count: int) -> None:
        """Wait until that many tries were put off."""
        with trio.fail_after(20):
            while True:
                answer = (await self.client.get(f"/api/notifications/{own}")).json()
                if answer["retried"] == count:
                    return
                await trio.sleep(0.02)


@asynccontextmanager
async def journey(folder: Path) -> AsyncIterator[Journey]:
    """Everything started, and stopped in order at the end."""
    account = ExpoAccount(access_tokens={"mine"}, secured=True)
    clock = Ahead()
    expo = HttpSimulator(ExpoRules(account), now=clock.wall)
    async with trio.open_nursery() as nursery:
        await nursery.start(expo.serve)
        (folder / "ca.pem").write_text(expo.ca_pem)
        settings = Settings(
            database=f"sqlite:{folder / 'booper.sqlite3'}",
            shutdown=5.0,
            http=Http(port=0),
            public=Public(per_address=0, per_channel=0, changes_per_address=0),
            delivery=Delivery(tick=0.1),
            instances={
                "expo": {
                    "provider": "expo",
                    "access_token": "mine",
                    "url": expo.url,
                    "ca_file": str(folder / "ca.pem"),
                }
            },
        )
        async with trio.open_nursery() as inner:
            run = partial(wiring.run, settings, clock=clock)
            booper: wiring.Booper = await inner.start(run)
            async with httpx.AsyncClient(base_url=booper.url, timeout=20) as client:
                yield Journey(expo, account, clock, client)
            booper.stop()
        nursery.cancel_scope.cancel()


async def test_from_the_front_door_to_the_last_receipt(tmp_path: Path) -> None:
    async with journey(tmp_path) as house:
        account = house.account
        account.projects.update({token(n): "@other/app" for n in range(0, 120, 2)})
        account.ticket_errors[token(3)] = "DeviceNotRegistered"
        account.receipt_errors[token(4)] = "DeviceNotRegistered"
        account.receipt_errors[token(5)] = "MessageTooBig"
        account.lost.update(token(n) for n in range(10, 22))
        await house.register(120)
        own = (await house.post("/api/notify", channel="news", title="Hello", body="World"))["id"]
        shown = await house.shown(own, accepted=119, gone=1)
        assert shown["state"] == "partial"
        assert house.expo.ledger.by_instance() == {"@other/app": 60, "@booper/simulated": 59}
        assert house.expo.ledger.doubled() == {}
        assert {push.message["title"] for push in account.messages} == {"Hello"}
        house.forward(901)
        await house.shown(own, delivered=105, accepted=12, gone=2, failed=1)
        house.forward(85_000)
        shown = await house.shown(own, delivered=105, receipt_unknown=12, gone=2, failed=1)
        assert (shown["devices"], shown["pending"]) == (120, 0)
        # The two that are gone get no more.
        second = (await house.post("/api/notify", channel="news", title="Again"))["id"]
        await house.shown(second, accepted=118)


async def test_what_a_receipt_lets_try_again_goes_out_once_more(tmp_path: Path) -> None:
    async with journey(tmp_path) as house:
        errors = house.account.receipt_errors
        errors[token(0)] = errors[token(1)] = "MessageRateExceeded"
        errors[token(2)] = "MessageTooBig"
        await house.register(5)
        sent = (await house.post("/api/notify", channel="news", title="Hello", ttl=7200))["id"]
        await house.shown(sent, accepted=5)
        house.forward(901)
        shown = await house.shown(sent, delivered=2, failed=1)
        assert (shown["state"], shown["pending"], shown["retried"]) == ("sending", 2, 2)
        assert shown["finished_at"] is None
        del errors[token(0)]
        house.forward(70)  # past the longest pause of a second try
        await house.shown(sent, accepted=2, delivered=2, failed=1)
        house.forward(901)
        await house.shown(sent, delivered=3, failed=1)  # and the other once more
        house.forward(7200)
        shown = await house.shown(sent, delivered=3, failed=1, expired=1)
        assert (shown["state"], shown["pending"], shown["retried"]) == ("partial", 0, 3)
        tries = Counter(push.to for push in house.account.messages)
        assert [tries[token(number)] for number in range(5)] == [2, 2, 1, 1, 1]


async def test_trouble_with_whole_requests_is_retried_and_doubles_are_counted(
    tmp_path: Path,
) -> None:
    async with journey(tmp_path) as house:
        await house.register(30)
        faults = house.expo.faults
        faults.script(Answer(503), times=1)
        faults.script(Answer(429, "TOO_MANY_REQUESTS", retry_after=1), times=1)
        faults.script(Reset(accepted=True), times=1)
        own = (await house.post("/api/notify", channel="news", title="Hello"))["id"]
        for tries in (1, 2, 3):
            await house.retried(own, 30 * tries)
            house.forward(8)  # past the longest pause, and within a lease
        shown = await house.shown(own, accepted=30)
        assert shown["maybe_doubled"] == house.expo.ledger.summary().duplicates == 30


async def test_a_refused_access_token_is_a_state_and_keeps_the_messages(tmp_path: Path) -> None:
    async with journey(tmp_path) as house:
        await house.register(2)
        house.account.access_tokens.clear()
        own = (await house.post("/api/notify", channel="news", title="Hello"))["id"]
        with trio.fail_after(20):
            while True:
                answer = await house.client.get("/api/admin/instances")
                standing = answer.json()["instances"][0]["standing"]
                if standing and standing["state"] == "refused":
                    break
                await trio.sleep(0.02)
        assert standing["last_error"] == "UNAUTHORIZED"
        assert "mine" not in answer.text
        house.account.access_tokens.add("mine")
        house.forward(70)
        await house.shown(own, accepted=2)

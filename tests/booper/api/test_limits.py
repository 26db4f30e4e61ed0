"""Limits at the door: what counts, for whom, and what the answer tells about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.domain.plan import Plan
from booper.settings import Http, Public, Settings
from tests.booper.api.door import Door, HandClock, door, problem
from tests.booper.api.tenant import tenant, tenanted
from tests.booper.api.test_notify import listens
from tests.booper.store.seeds import rows

if TYPE_CHECKING:
    from pathlib import Path

HELLO = {"channel": "news", "title": "t"}
MANY = Public(per_address=1000, per_channel=1000)


async def statuses(house: Door, count: int, body: dict[str, Any], **headers: str) -> list[int]:
    """What that many requests at once are answered."""
    found: list[int] = []

    async def one() -> None:
        answer = await house.client.post("/api/notify", json=body, headers=headers)
        found.append(answer.status_code)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)
    return sorted(found)


async def test_ten_a_second_for_an_address_and_for_a_channel(tmp_path: Path) -> None:
    clock = HandClock()
    async with door(tmp_path, clock=clock) as house:
        own = await house.device()
        for channel in ("news", "ops"):
            await listens(house, own, channel)
        for left in range(9, -1, -1):
            answer = await house.post("/api/notify", HELLO)
            assert answer.status_code == 202
            assert answer.headers["ratelimit-remaining"] == str(left)
            assert answer.headers["ratelimit-limit"] == "10"
            assert answer.headers["ratelimit-policy"].endswith(";q=10;w=1")
            assert f";r={left};t=1" in answer.headers["ratelimit"]
        for body in (HELLO, {**HELLO, "channel": "NEWS"}, {**HELLO, "channel": "ops"}):
            answer = await house.post("/api/notify", body)
            problem(answer, 429, "too_many_requests")
            assert answer.headers["retry-after"] == "1"
            assert answer.headers["ratelimit-remaining"] == "0"
        clock.now += 0.1
        assert await statuses(house, 5, HELLO) == [202, 429, 429, 429, 429]
        clock.now += 60
        assert await statuses(house, 50, HELLO) == [202] * 10 + [429] * 40
        assert len(await rows(house.database, "SELECT id FROM notifications")) == 21


async def test_a_channel_s_limit_holds_from_any_number_of_addresses(tmp_path: Path) -> None:
    http = Http(trusted_proxies=["127.0.0.0/8"])
    async with door(tmp_path, clock=HandClock(), settings=Settings(http=http)) as house:
        await listens(house, await house.device(), "news")
        found = []
        for number in range(30):
            headers = {"X-Forwarded-For": f"6.6.6.6, 9.9.9.{number}"}
            found += await statuses(house, 1, HELLO, **headers)
        assert found == [202] * 10 + [429] * 20


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-Ip"])
async def test_nobody_gets_more_by_claiming_to_be_others(tmp_path: Path, name: str) -> None:
    settings = Settings(public=Public(per_channel=0))
    async with door(tmp_path, clock=HandClock(), settings=settings) as house:
        await listens(house, await house.device(), "news")
        found = []
        for number in range(100):
            found += await statuses(house, 1, HELLO, **{name: f"9.9.{number}.9"})
        assert found == [202] * 10 + [429] * 90


@pytest.mark.parametrize(
    ("peer", "forwarded"),
    [
        ("10.0.0.1", ["2001:db8:1:2::{}"]),  # one customer has all of a /64
        ("::ffff:10.0.0.1", ["2001:db8:1:2:{}::1, 10.0.0.2"]),  # a proxy in IPv6's clothes
        ("10.0.0.1", ["6.6.6.{}, 9.9.9.9"]),  # what the client wrote itself, left of it
        ("10.0.0.1", ["6.6.6.{}", "9.9.9.9, ::ffff:10.9.9.9"]),  # in two headers
        ("10.0.0.1", ["9.9.9.9, 11.0.0.1", "10.0.0.{}"]),  # a proxy nobody trusts is a client
        ("10.0.0.1", ["6.6.6.{}, junk"]),
        ("11.0.0.1", ["6.6.6.{}"]),
    ],
)
async def test_behind_a_proxy_the_client_is_who_the_proxy_saw(
    tmp_path: Path, peer: str, forwarded: list[str]
) -> None:
    http = Http(trusted_proxies="10.0.0.0/8")
    settings = Settings(http=http, public=Public(per_channel=0))
    async with door(tmp_path, clock=HandClock(), settings=settings, caller=peer) as house:
        await listens(house, await house.device(), "news")
        found = []
        for number in range(1, 31):
            headers = [("X-Forwarded-For", hop.format(number)) for hop in forwarded]
            headers.append(("Forwarded", f"for=7.7.7.{number}"))
            answer = await house.client.post("/api/notify", json=HELLO, headers=headers)
            found.append(answer.status_code)
        assert found == [202] * 10 + [429] * 20
        others = [("X-Forwarded-For", "2001:db8:1:3::1" if peer != "11.0.0.1" else "1.1.1.1")]
        answer = await house.client.post("/api/notify", json=HELLO, headers=others)
        assert answer.status_code == (429 if peer == "11.0.0.1" else 202)


async def test_an_app_has_its_own_limit(tmp_path: Path) -> None:
    clock = HandClock()
    async with tenanted(tmp_path, clock=clock) as app:
        other = await tenant(app.house, "bea")
        for _ in range(10):
            answer = await app.notify(everyone=True)
            assert answer.status_code == 202
        assert answer.headers["ratelimit-policy"] == '"app";q=10;w=1, "day";q=100;w=86400'
        assert answer.headers["ratelimit"] == '"app";r=0;t=1, "day";r=90;t=57600'
        body = {"everyone": True, "title": "t", "app_id": app.app}
        for who in (app.key, app.owner):
            answer = await who.ask("POST", "/api/notify", body)
            problem(answer, 429, "too_many_requests")
        assert (await other.notify(everyone=True)).status_code == 202


async def test_a_day_s_quota_is_exact_and_ends_with_the_day_of_utc(tmp_path: Path) -> None:
    clock = HandClock()
    plans = {"free": Plan(per_second=0, per_day=5)}
    async with tenanted(tmp_path, clock=clock, settings=Settings(plans=plans)) as app:
        body = {"everyone": True, "title": "t"}
        assert await statuses(app.house, 20, body, **app.key.headers) == [202] * 5 + [429] * 15
        answer = await app.notify(everyone=True)
        problem(answer, 429, "quota_exceeded")
        assert answer.headers["retry-after"] == "57600"
        problem(await app.notify(everyone=True, channel="x"), 422, "which_audience")
        clock.now += 57_600
        answer = await app.notify(everyone=True)
        assert (answer.status_code, answer.headers["ratelimit-remaining"]) == (202, "4")
        problem(await app.notify(channel="none"), 404, "unknown_channel")  # does not count
        assert await statuses(app.house, 9, body, **app.key.headers) == [202] * 4 + [429] * 5


async def test_a_request_that_is_asked_again_says_something_once(tmp_path: Path) -> None:
    clock = HandClock()
    async with tenanted(tmp_path, clock=clock) as app:
        one = await app.key.ask("POST", "/api/notify", {"everyone": True, "title": "t"}, **KEY)
        two = await app.key.ask("POST", "/api/notify", {"title": "t", "everyone": True}, **KEY)
        assert (one.status_code, two.status_code) == (202, 202)
        assert one.json() == two.json()
        assert "idempotent-replayed" not in one.headers
        assert two.headers["idempotent-replayed"] == "true"
        other = {"everyone": True, "title": "u"}
        answer = await app.key.ask("POST", "/api/notify", other, **KEY)
        problem(answer, 422, "idempotency_key_reused")
        assert (await app.owner.ask("POST", "/api/notify", owners(app.app), **KEY)).is_success
        assert len(await rows(app.house.database, "SELECT id FROM notifications")) == 2
        assert await rows(app.house.database, "SELECT sum(used) FROM quotas") == [(2,)]
        clock.now += 86_401
        answer = await app.key.ask("POST", "/api/notify", other, **KEY)
        assert answer.status_code == 202
        assert answer.json()["id"] != one.json()["id"]


async def test_a_key_of_a_request_that_failed_is_not_used_up(tmp_path: Path) -> None:
    async with tenanted(tmp_path) as app:
        body = {"channel": "news", "title": "t"}
        problem(await app.key.ask("POST", "/api/notify", body, **KEY), 404, "unknown_channel")
        await app.channel("news")
        answer = await app.key.ask("POST", "/api/notify", body, **KEY)
        assert answer.status_code == 202
        assert "idempotent-replayed" not in answer.headers


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "é", "a\tb"])
async def test_a_key_that_is_none_is_refused(tmp_path: Path, key: str) -> None:
    async with tenanted(tmp_path) as app:
        headers = {b"Idempotency-Key": key.encode("latin-1")}
        answer = await app.house.client.post("/api/notify", json=HELLO, headers=headers)
        problem(answer, 422, "invalid_idempotency_key")


async def test_strangers_keys_are_told_apart_by_their_addresses(tmp_path: Path) -> None:
    http = Http(trusted_proxies=["127.0.0.0/8"])
    settings = Settings(http=http, public=MANY)
    async with door(tmp_path, settings=settings) as house:
        await listens(house, await house.device(), "news")
        for number in range(3):
            headers = {**KEY, "X-Forwarded-For": f"9.9.9.{number}"}
            headers = {name.replace("_", "-"): text for name, text in headers.items()}
            assert await statuses(house, 20, HELLO, **headers) == [202] * 20
        assert len(await rows(house.database, "SELECT id FROM notifications")) == 3


KEY = {"Idempotency_Key": "order-42"}


def owners(app: str) -> dict[str, Any]:
    """What an owner says."""
    return {"everyone": True, "title": "t", "app_id": app}

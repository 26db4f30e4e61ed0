"""The routes: what they take, what they answer, and which mistake gets which problem."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from booper.domain.errors import Unavailable
from booper.store import notifications
from tests.booper.api.door import (
    POSTS,
    TOKEN,
    CrashingDatabase,
    NoDatabase,
    door,
    problem,
)
from tests.booper.store.seeds import rows

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

ID = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
GOOD: dict[str, dict[str, object]] = {
    "/api/devices": {"provider": "apns", "device_token": TOKEN},
    "/api/subscriptions": {"channel": "news", "device_id": ID},
    "/api/notify": {"channel": "news", "title": "Hello"},
    "/api/notifications": {"channel": "news", "title": "Hello"},
}


async def test_a_device_registers_once_in_one_spelling(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        first = await house.device(TOKEN.upper())
        assert UUID(first).version == 7
        assert await house.device(TOKEN) == first
        assert await house.device(TOKEN, instance="other") != first
        sql = "SELECT fingerprint, sealed, instance FROM devices ORDER BY number"
        (one, sealed, _), (same, again, where) = await rows(house.database, sql)
        assert (one, where) == (same, "other")
        assert sealed != again
        assert TOKEN.encode() not in one.encode() + sealed + again
        assert await house.tokens.open([sealed, again]) == [TOKEN, TOKEN]


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"provider": "pager"}, "unknown_provider", "/provider"),
        ({"device_token": TOKEN + "\n"}, "invalid_device_token", "/device_token"),
        ({"device_token": "../" + TOKEN}, "invalid_device_token", "/device_token"),
        ({"instance": "unknown"}, "unknown_instance", "/instance"),
        ({"instance": "x" * 65}, "invalid", "/instance"),
        ({"provider": "x" * 65}, "invalid", "/provider"),
    ],
)
async def test_a_device_that_cannot_be_reached_is_refused(
    tmp_path: Path, change: dict[str, object], code: str, pointer: str
) -> None:
    async with door(tmp_path) as house:
        answer = await house.post("/api/devices", GOOD["/api/devices"] | change)
        problem(answer, 422, code, pointer)


async def test_a_subscription_by_id_or_by_token_and_twice(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        own = await house.device()
        answer = await house.post("/api/subscriptions", {"channel": "News", "device_id": own})
        assert answer.status_code == 201
        assert answer.json()["channel"] == "news"
        by_token = {"channel": "news", "device_token": TOKEN.upper()}
        assert (await house.post("/api/subscriptions", by_token)).json() == answer.json()
        capital = {"channel": "NEWS", "device_id": own.upper()}
        assert (await house.post("/api/subscriptions", capital)).json() == answer.json()


async def test_a_token_that_is_not_hexadecimal_keeps_its_capitals(tmp_path: Path) -> None:
    token = "cAse:" + "Xy_-" * 10
    async with door(tmp_path) as house:
        await house.device(token, provider="fcm")
        by_token = {"channel": "news", "device_token": token}
        assert (await house.post("/api/subscriptions", by_token)).status_code == 201
        by_token["device_token"] = token.lower()
        problem(await house.post("/api/subscriptions", by_token), 404, "unknown_device")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"channel": "a"}, 422, "which_device"),
        ({"channel": "a", "device_id": ID, "device_token": TOKEN}, 422, "which_device"),
        ({"channel": "a b", "device_id": ID}, 422, "invalid_channel_name"),
        ({"channel": "a", "device_id": ID}, 404, "unknown_device"),
        ({"channel": "a", "device_id": "junk"}, 404, "not_found"),
        ({"channel": "a", "device_token": "cd" * 32}, 404, "unknown_device"),
        ({"channel": "a", "device_token": "no token at all"}, 404, "unknown_device"),
        ({"channel": "a", "device_token": TOKEN}, 422, "ambiguous_device"),
    ],
)
async def test_a_subscription_without_one_device_is_refused_and_makes_no_channel(
    tmp_path: Path, body: dict[str, str], status: int, code: str
) -> None:
    async with door(tmp_path) as house:
        await house.device()
        await house.device(instance="other")
        problem(await house.post("/api/subscriptions", body), status, code)
        assert await rows(house.database, "SELECT name FROM channels") == []


@pytest.mark.parametrize("path", ["/api/notify", "/api/notifications"])
async def test_a_notification_is_written_down_before_202(tmp_path: Path, path: str) -> None:
    async with door(tmp_path) as house:
        subscription = {"channel": "news", "device_id": await house.device()}
        await house.post("/api/subscriptions", subscription)
        answer = await house.post(path, {"channel": "News", "title": "Hello", "ttl": 0})
        assert answer.status_code == 202
        taken = answer.json()
        assert taken == {
            "id": taken["id"],
            "state": "queued",
            "url": f"/api/notifications/{taken['id']}",
        }
        assert answer.headers["location"] == taken["url"]
        assert await house.database.read(notifications.progress, taken["id"]) is not None
        shown = (await house.client.get(taken["url"])).json()
        assert (shown["state"], shown["devices"], shown["pending"]) == ("queued", 0, 0)
        assert shown["created_at"].endswith("Z")
        assert shown["finished_at"] is None
        stored = await rows(house.database, "SELECT content FROM notifications")
        assert stored == [('{"title":"Hello","ttl":0}',)]


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({"channel": "unknown", "title": "t"}, 404, "unknown_channel", None),
        ({"channel": "news", "raw": {"pigeon": {}}}, 422, "unknown_provider", "/raw"),
        (
            {"channel": "news", "title": "t", "loc_args": ["a"]},
            422,
            "loc_args_without_key",
            "/loc_args",
        ),
        (
            {"channel": "news", "live_activity": {"event": 5}},
            422,
            "invalid",
            "/live_activity/event",
        ),
        ({"channel": "news"}, 422, "empty_notification", None),
        ({"channel": "news", "sound": "x"}, 422, "empty_notification", None),
        ({"title": "t"}, 422, "which_audience", None),
        ({"channel": 5, "title": "t"}, 422, "invalid", "/channel"),
        ({"channel": "../x", "title": "t"}, 422, "invalid_channel_name", "/channel"),
        (
            {"channel": "news", "title": "t", "collapse_key": "a\r\nb"},
            422,
            "invalid_collapse_key",
            "/collapse_key",
        ),
    ],
)
async def test_a_notification_that_cannot_be_sent_is_refused(
    tmp_path: Path, body: dict[str, object], status: int, code: str, pointer: str | None
) -> None:
    async with door(tmp_path) as house:
        subscription = {"channel": "news", "device_id": await house.device()}
        await house.post("/api/subscriptions", subscription)
        problem(await house.post("/api/notify", body), status, code, pointer)
        assert await rows(house.database, "SELECT id FROM notifications") == []


@pytest.mark.parametrize("own", [ID, "junk", "..", "%00", "%ff", "x" * 5000, "{}", "é"])
async def test_a_notification_that_is_not_there_is_404(tmp_path: Path, own: str) -> None:
    async with door(tmp_path) as house:
        answer = await house.client.get(f"/api/notifications/{own}")
        problem(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api", 404),
        ("GET", "/api/notify/", 404),
        ("POST", "//api/notify", 404),
        ("POST", "/api//notify", 404),
        ("GET", "/api/%2e%2e/notify", 404),
        ("GET", "/%ff%00", 404),
        ("GET", "/static/x", 404),
        ("GET", "/api/notify", 405),
        ("DELETE", "/api/devices", 405),
        ("BREW", "/api/devices", 405),
        ("POST", "/healthz", 405),
        ("PUT", f"/api/notifications/{ID}", 405),
    ],
)
async def test_a_path_or_method_that_is_not_there_is_a_problem(
    tmp_path: Path, method: str, path: str, status: int
) -> None:
    async with door(tmp_path) as house:
        answer = await house.client.request(method, path)
        problem(answer, status, "not_found" if status == 404 else "method_not_allowed")
        if status == 405:
            allowed = {one.strip() for one in answer.headers["allow"].split(",")}
            assert method not in allowed
            assert allowed & {"GET", "POST"}


async def test_every_answer_is_signed(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        for path in ("/healthz", "/nowhere"):
            echoed = await house.client.get(path, headers={"X-Request-Id": "abc-1.2_3"})
            assert echoed.headers["x-request-id"] == "abc-1.2_3"
            minted = set()
            for junk in ("", "a b", "x" * 65, 'a"b', "<x>"):
                answer = await house.client.get(path, headers={"X-Request-Id": junk})
                minted.add(UUID(answer.headers["x-request-id"]))
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["cache-control"] == "no-store"
                assert "server" not in answer.headers
            assert len(minted) == 5


@pytest.mark.parametrize("path", POSTS)
async def test_an_outage_of_the_store_is_503_and_never_a_false_202(
    tmp_path: Path, path: str
) -> None:
    async with door(tmp_path, database=NoDatabase()) as house:
        answer = await house.post(path, GOOD[path])
        problem(answer, 503, "store_unavailable")
        assert answer.headers["retry-after"] == "7"
        answer = await house.client.get(f"/api/notifications/{ID}")
        problem(answer, 503, "store_unavailable")


async def test_a_crash_is_a_problem_that_tells_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with door(tmp_path, database=CrashingDatabase()) as house:
        answer = await house.post("/api/notify", GOOD["/api/notify"])
        problem(answer, 500, "internal_error")
        assert "SECRET" not in answer.text
    written = capsys.readouterr()
    assert "request_crashed" in written.out + written.err
    assert "SECRET" not in written.out + written.err


async def test_a_long_outage_says_when_to_come_back(tmp_path: Path) -> None:
    for seconds, header in ((0.2, "1"), (1.4, "1"), (29.6, "30")):
        store = NoDatabase()

        async def away(*args: object, seconds: float = seconds) -> None:
            raise Unavailable("away", retry_after=seconds)

        store.read = store.write = away  # type: ignore[method-assign,assignment]
        async with door(tmp_path, database=store) as house:
            answer: httpx.Response = await house.post("/api/devices", GOOD["/api/devices"])
            assert answer.headers["retry-after"] == header

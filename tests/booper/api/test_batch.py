"""Many notifications in one request: one result for each, and nobody pays for another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from booper.domain.errors import Unavailable
from booper.domain.plan import Plan
from booper.settings import Http, Public, Settings
from tests.booper.api.door import Door, HandClock, door, problem
from tests.booper.api.tenant import Tenant, tenanted
from tests.booper.api.test_notify import NOW_TEXT, listens, reached
from tests.booper.store.seeds import rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import httpx

PATH = "/api/notifications/batch"
FREE = Settings(plans={"free": Plan(per_second=0, per_day=0)}, public=Public(0, 0))
HELLO = {"everyone": True, "title": "t"}
NDJSON = "application/x-ndjson"


async def say(app: Tenant, *items: Any, **headers: str) -> httpx.Response:
    """A batch of the app's."""
    return await app.key.ask("POST", PATH, list(items), **headers)


async def lines(house: Door, data: bytes, **headers: str) -> httpx.Response:
    """A batch of lines."""
    head = {"Content-Type": NDJSON, **headers}
    return await house.client.post(PATH, content=data, headers=head)


def statuses(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [result["status"] for result in answer.json()]


async def stored(house: Door) -> int:
    return len(await rows(house.database, "SELECT id FROM notifications"))


async def test_each_gets_what_it_would_have_got_alone(tmp_path: Path) -> None:
    async with tenanted(tmp_path, clock=HandClock(), settings=FREE) as app:
        ann, bea = await app.member(1, user_id="ann"), await app.member(2)
        await app.channel("news", ann)
        answer = await say(
            app,
            {"channel": "News", "title": "one"},
            {"channel": "none", "title": "two"},
            {"user_id": "ann", "title": "three", "scheduled_at": NOW_TEXT.replace("T08", "T09")},
            {"everyone": True},
            {"everyone": True, "title": 5},
            5,
            {**HELLO, "app_id": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"},
            {"channels": ["news", "b c"], "title": "t"},
            {"devices": [bea], "title": "nine"},
            {"devices": [bea, "x"], "title": "ten"},
        )
        assert statuses(answer) == [202, 404, 202, 422, 422, 422, 404, 422, 202, 404]
        first, *_, last = results = answer.json()
        assert first == {"status": 202, "id": first["id"], "state": "queued", "url": first["url"]}
        assert first["url"] == f"/api/notifications/{first['id']}"
        assert results[2]["state"] == "scheduled"
        codes = [result["problem"]["code"] for result in results if "problem" in result]
        assert codes == [
            *("unknown_channel", "empty_notification", "invalid", "invalid", "not_found"),
            *("invalid_channel_name", "unknown_device"),
        ]
        assert last["problem"]["errors"][0]["pointer"] == "/devices/1"
        assert last["problem"]["request_id"] == answer.headers["x-request-id"]
        ids = [result["id"] for result in results if "id" in result]
        assert ids == sorted(ids)
        assert await reached(app.house) == {results[0]["id"]: [ann], results[8]["id"]: [bea]}
        assert await stored(app.house) == 3


async def test_lines_are_answered_by_lines(tmp_path: Path) -> None:
    async with door(tmp_path, settings=FREE) as house:
        await listens(house, await house.device(), "ops")
        good = json.dumps({"channel": "ops", "title": "Grüße", "body": "a\nb"})
        bad = ['{"channel": "ops", "channel": "ops", "title": "t"}', "nonsense", '{"a": NaN}']
        data = "\n".join([good, "", *bad, "  ", good]).encode() + b"\r\n\xff\n"
        answer = await lines(house, data)
        assert answer.headers["content-type"] == NDJSON
        results = [json.loads(line) for line in answer.text.splitlines()]
        assert [result["status"] for result in results] == [202, 400, 400, 400, 202, 400]
        codes = [result["problem"]["code"] for result in results if "problem" in result]
        assert codes == ["duplicate_key", "bad_json", "bad_json", "bad_utf8"]
        assert await stored(house) == 2
        for empty in (b"", b"\n\n"):
            assert (await lines(house, empty)).content == b""


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b"[", 400, "bad_json"),
        (b"[{}", 400, "bad_json"),
        (b"{}", 422, "invalid"),
        (b"null", 422, "invalid"),
        (b'["\\ud800"]', 400, "bad_json"),
        (b"[" * 100_000, 400, "bad_json"),
        (b"[" + b"{}," * 5 + b"{}]", 422, "too_many_notifications"),
        (b"[" + b"0," * 30_000 + b"0]", 422, "too_many_notifications"),
        (b"[" + b"[0]," * 30_000 + b"nonsense", 422, "too_many_notifications"),
        (b"[[" + b"0," * 30_000 + b"nonsense", 400, "bad_json"),
        (b" " * 200_001, 413, "body_too_large"),
    ],
)
async def test_what_is_no_batch_is_refused(
    tmp_path: Path, body: bytes, status: int, code: str
) -> None:
    settings = Settings(http=Http(max_batch=5, max_batch_body=200_000))
    async with door(tmp_path, settings=settings) as house:
        problem(await house.post(PATH, body), status, code)
        if status == 422 and code != "invalid":
            problem(await lines(house, b"{}\n" * 6), 422, "too_many_notifications")
            problem(await lines(house, b"\n" * 60), 422, "too_many_notifications")


async def test_only_this_route_takes_so_long_a_body(tmp_path: Path) -> None:
    async with tenanted(tmp_path, settings=FREE) as app:
        long = {**HELLO, "data": {"text": "x" * 70_000}}
        assert statuses(await say(app, long)) == [202]
        problem(await app.key.ask("POST", "/api/notify", long), 413, "body_too_large")
        headers = {**app.key.headers, "Content-Type": "text/plain"}
        answer = await app.house.client.post(PATH, content=b"x", headers=headers)
        problem(answer, 415, "unsupported_media_type")


async def test_an_array_of_long_lists_is_counted_by_its_elements(tmp_path: Path) -> None:
    async with tenanted(tmp_path, settings=FREE) as app:
        assert statuses(await say(app, {**HELLO, "data": {"numbers": [0] * 70_000}})) == [202]


async def test_the_limits_of_the_public_count_each(tmp_path: Path) -> None:
    clock = HandClock()
    settings = Settings(public=Public(per_address=15, per_channel=10))
    async with door(tmp_path, clock=clock, settings=settings) as house:
        for channel in ("a", "b"):
            await listens(house, await house.device(), channel)
        items = [{"channel": "a" if n < 20 else "b", "title": "t"} for n in range(40)]
        answer = await house.post(PATH, items)
        assert statuses(answer) == [202] * 10 + [429] * 10 + [202] * 5 + [429] * 15
        refused = answer.json()[-1]
        assert (refused["problem"]["code"], refused["retry_after"]) == ("too_many_requests", 1)
        assert answer.headers["ratelimit"] == '"channel";r=0;t=1'
        problem(await house.post("/api/notify", items[0]), 429, "too_many_requests")
        clock.now += 0.2
        assert sorted(statuses(await house.post(PATH, items))) == [202] * 3 + [429] * 37
        assert await stored(house) == 18


async def test_an_app_s_batch_is_one_request_and_each_counts_for_its_day(tmp_path: Path) -> None:
    clock = HandClock()
    settings = Settings(plans={"free": Plan(per_second=2, per_day=5)})
    async with tenanted(tmp_path, clock=clock, settings=settings) as app:
        answer = await say(app, HELLO, {"everyone": True}, HELLO, HELLO)
        assert statuses(answer) == [202, 422, 202, 202]
        assert answer.headers["ratelimit"] == '"app";r=1;t=1, "day";r=2;t=57600'
        answer = await say(app, HELLO, HELLO, HELLO, HELLO)
        assert statuses(answer) == [202, 202, 429, 429]
        refused = answer.json()[2]
        assert (refused["problem"]["code"], refused["retry_after"]) == ("quota_exceeded", 57_600)
        assert statuses(await say(app, HELLO, HELLO)) == [429, 429]
        assert await stored(app.house) == 5


async def test_a_batch_that_is_asked_again_says_everything_once(tmp_path: Path) -> None:
    async with tenanted(tmp_path, settings=FREE) as app:
        items = [{**HELLO, "title": str(n), "idempotency_key": f"k{n}"} for n in range(3)]
        first = await say(app, *items, items[0], {**items[0], "title": "other"})
        assert statuses(first) == [202, 202, 202, 202, 422]
        results = first.json()
        assert results[3] == {**results[0], "replayed": True}
        assert results[4]["problem"]["code"] == "idempotency_key_reused"
        alone = {name: value for name, value in items[1].items() if name != "idempotency_key"}
        answer = await app.key.ask("POST", "/api/notify", alone, Idempotency_Key="k1")
        assert answer.json()["id"] == results[1]["id"], "a single one's key means the same"
        for _ in range(2):
            again = await say(app, HELLO, HELLO, items[2], Idempotency_Key="whole")
            ids = [result["id"] for result in again.json()]
            assert len(set(ids)) == 3
            assert ids[2] == results[2]["id"]
        assert await stored(app.house) == 5
        bad = await say(app, {**HELLO, "idempotency_key": "a b"}, HELLO)
        assert statuses(bad) == [422, 202]


async def test_a_key_whose_item_found_no_place_in_the_day_stands_for_nothing(
    tmp_path: Path,
) -> None:
    settings = Settings(plans={"free": Plan(per_second=0, per_day=1)})
    clock = HandClock()
    async with tenanted(tmp_path, settings=settings, clock=clock) as app:
        keyed = {**HELLO, "idempotency_key": "k"}
        assert statuses(await say(app, HELLO, keyed, keyed)) == [202, 429, 429]
        assert await rows(app.house.database, "SELECT key FROM idempotency_keys") == []
        clock.now += 86_400
        assert statuses(await say(app, keyed)) == [202]


async def test_a_thousand_are_written_in_two_transactions(tmp_path: Path) -> None:
    async with tenanted(tmp_path, settings=FREE) as app:
        before = app.house.database.commits  # type: ignore[attr-defined]
        answer = await say(app, *[{**HELLO, "title": str(n)} for n in range(1000)])
        assert statuses(answer) == [202] * 1000
        assert app.house.database.commits - before == 2  # type: ignore[attr-defined]
        titles = await rows(app.house.database, "SELECT content FROM notifications ORDER BY id")
        assert [json.loads(text)["title"] for (text,) in titles] == [str(n) for n in range(1000)]


class Failing:
    """A store that takes a number of writes, and then is away."""

    def __init__(self, real: Any, writes: int) -> None:
        self.read, self.gather = real.read, real.gather
        self._write = real.write
        self.writes = writes

    async def write(self, work: Callable[..., Awaitable[Any]], *args: Any, **how: Any) -> Any:
        if getattr(work, "__name__", "") == "accept":
            self.writes -= 1
            if self.writes < 0:
                raise Unavailable("Away.", code="store_unavailable", retry_after=7.0)
        return await self._write(work, *args, **how)


@pytest.mark.parametrize("writes", [0, 1])
async def test_a_store_that_goes_away_says_what_was_written(tmp_path: Path, writes: int) -> None:
    def failing(real: Any) -> Failing:
        return Failing(real, writes)

    async with door(tmp_path, settings=FREE, wrap=failing) as house:
        await listens(house, await house.device(), "ops")
        answer = await house.post(PATH, [{"channel": "ops", "title": "t"}] * 501)
        if not writes:
            problem(answer, 503, "store_unavailable")
            return
        assert statuses(answer) == [202] * 500 + [503]
        assert answer.json()[500]["retry_after"] == 7
        assert await stored(house) == 500

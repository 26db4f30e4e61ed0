"""curl: plain text says something, with the rest in the query or in headers."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import trio

from tests.booper.api.door import Door, door, problem
from tests.booper.api.test_notify import listens
from tests.booper.cli.test_serve import Serve
from tests.booper.store.seeds import rows

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

FORM = "application/x-www-form-urlencoded"


async def say(house: Door, query: str, data: bytes, **headers: str) -> httpx.Response:
    given = {name.replace("_", "-").encode(): text.encode() for name, text in headers.items()}
    given.setdefault(b"Content-Type", FORM.encode())
    return await house.client.post(f"/api/notify?{query}", content=data, headers=given)


async def content(house: Door) -> Any:
    """What was said last."""
    stored = await rows(house.database, "SELECT content FROM notifications ORDER BY number DESC")
    return msgspec.json.decode(stored[0][0])


@pytest.mark.parametrize("kind", [FORM, "text/plain", "text/plain; charset=utf-8"])
@pytest.mark.parametrize("text", ["Backup done", "a=b", "50% of 3+4 = 7 & more", "Grüße 🎉\n2"])
async def test_the_text_is_the_body(tmp_path: Path, kind: str, text: str) -> None:
    async with door(tmp_path) as house:
        await listens(house, await house.device(), "ops")
        answer = await say(house, "channel=ops", text.encode(), Content_Type=kind)
        assert answer.status_code == 202, answer.text
        assert await content(house) == {"body": text}


async def test_what_a_shell_pipes_in_has_no_line_feed_at_its_end(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        await listens(house, await house.device(), "ops")
        assert (await say(house, "channel=ops", b"one\ntwo\n")).status_code == 202
        assert await content(house) == {"body": "one\ntwo"}


async def test_without_a_body_the_query_says_it_all(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        await listens(house, await house.device(), "ops")
        for query, wanted in (("title=Hi", {"title": "Hi"}), ("body=a+b", {"body": "a b"})):
            answer = await house.client.post(f"/api/notify?channel=ops&{query}")
            assert answer.status_code == 202, answer.text
            assert await content(house) == wanted
        answer = await house.client.post("/api/notify?channel=ops", content=b"x")
        problem(answer, 415, "unsupported_media_type")  # JSON sent so is not taken for a text


@pytest.mark.real
async def test_curl_itself(tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("NOT RUN: no curl here")
    unlimited = {"BOOPER_PUBLIC__PER_ADDRESS": "0", "BOOPER_PUBLIC__PER_CHANNEL": "0"}
    async with Serve(tmp_path, **unlimited) as booper:

        async def run(path: str, *options: str, data: bytes = b"") -> Any:
            command = [curl, "-s", *options, f"{booper.url}{path}"]
            ended = await trio.run_process(command, capture_stdout=True, stdin=data)
            return msgspec.json.decode(ended.stdout)

        json = ("-H", "Content-Type: application/json", "-d")
        device = {"provider": "apns", "device_token": "ab" * 32}
        made = await run("/api/devices", *json, msgspec.json.encode(device).decode())
        heard = {"channel": "ops", "device_id": made["id"]}
        await run("/api/subscriptions", *json, msgspec.json.encode(heard).decode())
        ops = "/api/notify?channel=ops"
        for options, data, wanted in (
            (["-d", "Backup done"], b"", {"body": "Backup done"}),
            (["-d", "a=b & c"], b"", {"body": "a=b & c"}),
            (["--data-binary", "@-"], b"one\ntwo\n", {"body": "one\ntwo"}),
            (["--data-urlencode", "body=50% & more"], b"", {"body": "50% & more"}),
            (["-X", "POST", "-H", "Title: Grüße"], b"", {"title": "Grüße"}),
            (
                ["-d", "x", "-H", "Priority: low", "-H", "Transfer-Encoding: chunked"],
                b"",
                {"body": "x", "priority": "normal", "interruption": "passive"},
            ),
        ):
            said = await run(ops, *options, data=data)
            assert said.get("state") == "queued", said
            assert (await run(said["url"]))["content"] == wanted


async def test_a_form_is_a_form(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        await listens(house, await house.device(), "ops")
        answer = await say(house, "", b"channel=ops&title=Hi+there&body=50%25&priority=normal")
        assert answer.status_code == 202, answer.text
        assert await content(house) == {"title": "Hi there", "body": "50%", "priority": "normal"}
        problem(await say(house, "channel=ops", b"title=a&title=b"), 400, "duplicate_key")


async def test_the_rest_stands_in_the_query_or_in_headers(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        await listens(house, await house.device(), "ops")
        wanted = {
            "title": "Grüße",
            "body": "x",
            "priority": "normal",
            "interruption": "passive",
            "data": {"tags": ["disk", "warn"]},
            "url": "https://a.example/",
            "ttl": 60,
        }
        query = "channel=ops&title=Gr%C3%BC%C3%9Fe&priority=low&tags=disk,+warn"
        assert (await say(house, f"{query}&url=https://a.example/&ttl=60", b"x")).status_code == 202
        assert await content(house) == wanted
        for mark in ("", "X_"):
            names = {"Title": "Grüße", "Priority": "2", "Tags": "disk,warn", "Ttl": "60"}
            names["Click"] = "https://a.example/"
            headers = {f"{mark}{name}": text for name, text in names.items()}
            answer = await say(house, "channel=ops", b"x", **headers)
            assert answer.status_code == 202, answer.text
            assert await content(house) == wanted


async def test_the_query_lies_under_a_json_body(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        await listens(house, await house.device(), "ops")
        body = {"title": "mine", "body": "x"}
        answer = await house.post("/api/notify?channel=ops&title=theirs&ttl=5", body)
        assert answer.status_code == 202, answer.text
        assert await content(house) == {**body, "ttl": 5}


@pytest.mark.parametrize(
    ("query", "data", "headers", "status", "code"),
    [
        ("channel=ops", b"", {}, 422, "empty_notification"),
        ("", b"x", {}, 422, "which_audience"),
        ("channel=none", b"x", {}, 404, "unknown_channel"),
        ("channel=ops", b"\xff", {}, 400, "bad_utf8"),
        ("channel=ops", b"\0", {}, 400, "bad_text"),
        ("channel=ops", b"x" * 4097, {}, 422, "invalid"),
        ("channel=ops", b"title=%ff", {}, 400, "bad_utf8"),
        ("channel=ops&priority=6", b"x", {}, 422, "invalid"),
        ("channel=ops&ttl=x", b"x", {}, 400, "invalid_query"),
        ("channel=ops&colour=red", b"x", {}, 400, "invalid_query"),
        ("channel=ops", b"x", {"Title": "x" * 5000}, 422, "invalid"),
        ("channel=ops", b"x", {"Ttl": "-1"}, 422, "invalid"),
        ("channel=ops", b"x", {"Ttl": "9" * 400}, 422, "invalid"),
        ("channel=ops&scheduled_at=soon", b"x", {}, 422, "invalid"),
        ("channel=ops", b"x", {"Content_Type": "image/png"}, 415, "unsupported_media_type"),
    ],
)
async def test_what_cannot_be_said_is_refused(
    tmp_path: Path, query: str, data: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    async with door(tmp_path) as house:
        await listens(house, await house.device(), "ops")
        problem(await say(house, query, data, **headers), status, code)
        assert await rows(house.database, "SELECT id FROM notifications") == []

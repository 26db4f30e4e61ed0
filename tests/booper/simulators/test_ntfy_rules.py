"""The simulated ntfy judges as ntfy does: every way of publishing, every code."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
import pytest

from booper.simulators.faults import Answer
from booper.simulators.http import Call
from booper.simulators.ntfy import NtfyAccount, NtfyRules

NOW = 1_800_000_000.0


def published(call: Call, account: NtfyAccount | None = None) -> dict[str, Any]:
    """The message that ntfy made of a call it took."""
    rules = NtfyRules(account)
    ruling = rules.judge(call, NOW)
    assert ruling.status == 200, ruling.body
    said: dict[str, Any] = msgspec.json.decode(ruling.body)
    assert ruling.keep is not None
    ruling.keep()
    (kept,) = rules.account.messages
    assert (kept.id, kept.topic) == (said["id"], said["topic"])
    assert ruling.pushes[0][0] == said["topic"] == ruling.devices[0]
    return said


def code(call: Call, account: NtfyAccount | None = None) -> int:
    ruling = NtfyRules(account).judge(call, NOW)
    said = msgspec.json.decode(ruling.body)
    assert said["http"] == ruling.status
    assert ruling.pushes == ()
    assert ruling.reason == str(said["code"])
    found: int = said["code"]
    return found


def as_json(**fields: Any) -> Call:
    return Call("POST", "/", (), msgspec.json.encode({"topic": "news", **fields}))


def test_json_is_published() -> None:
    said = published(
        as_json(
            title="Backup",
            message="done",
            priority=5,
            tags=["disk", "ok"],
            click="https://example.org/",
            icon="https://example.org/i.png",
            attach="https://example.org/a/photo.jpg",
            sequence_id="night-1",
            actions=[{"action": "view"}],
        )
    )
    assert said.pop("id")
    assert said == {
        "time": 1_800_000_000,
        "expires": 1_800_043_200,
        "event": "message",
        "topic": "news",
        "message": "done",
        "title": "Backup",
        "priority": 5,
        "tags": ["disk", "ok"],
        "click": "https://example.org/",
        "icon": "https://example.org/i.png",
        "attachment": {"name": "photo.jpg", "url": "https://example.org/a/photo.jpg"},
        "sequence_id": "night-1",
    }


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_with_headers_is_published(method: str) -> None:
    headers = (("x-title", "Backup"), ("priority", "high"), ("ta", "a, b"))
    said = published(Call(method, "/news?click=https://x.org", headers, b"done\n"))
    assert (said["message"], said["title"], said["priority"]) == ("done", "Backup", 4)
    assert (said["tags"], said["click"]) == (["a", "b"], "https://x.org")


def test_a_link_may_publish_and_an_empty_message_is_a_trigger() -> None:
    assert published(Call("GET", "/news/publish?message=hi&p=1"))["message"] == "hi"
    assert published(Call("GET", "/news/trigger"))["message"] == "triggered"
    assert published(Call("POST", "/news"))["message"] == "triggered"


def test_unifiedpush_takes_bytes_and_is_discovered() -> None:
    said = published(Call("POST", "/up1234?up=1", (), b"\xff\x00"))
    assert (said["message"], said["encoding"]) == (b64encode(b"\xff\x00").decode(), "base64")
    found = NtfyRules().judge(Call("GET", "/up1234?up=1"), NOW)
    assert msgspec.json.decode(found.body) == {"unifiedpush": {"version": 1}}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (as_json(topic=""), 40009),
        (as_json(topic="a b"), 40009),
        (as_json(topic="x" * 65), 40009),
        (as_json(topic="docs"), 40010),
        (as_json(priority=6), 40007),
        (as_json(message="x" * 4097), 41301),
        (as_json(message="x" * 9000), 41303),
        (as_json(attach="ftp://x"), 40013),
        (as_json(icon="x"), 40021),
        (as_json(sequence_id="a b"), 40000),
        (as_json(message=1), 40017),
        (Call("POST", "/", (), b"junk"), 40017),
        (Call("POST", "/", (), b"\xff"), 40017),
        (Call("POST", "/", (), b"[" * 5000), 40017),
        (Call("POST", "/news", (), b"\xff"), 40011),
        (Call("POST", "/news", (("x-priority", "loud"),), b"x"), 40007),
        (Call("POST", "/news/more", (), b"x"), 40401),
        (Call("POST", "//[x", (), b"x"), 40401),
        (Call("DELETE", "/news"), 40401),
        (Call("GET", "/news"), 40401),
    ],
)
def test_what_ntfy_refuses(call: Call, expected: int) -> None:
    assert code(call) == expected


BASIC = "Basic " + b64encode(b"phil:mypass").decode()
NOBODY = "Basic " + b64encode(b":tk_good").decode()


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (None, 40301),
        ("Bearer tk_good", 200),
        (BASIC, 200),
        (NOBODY, 200),
        ("Bearer tk_wrong", 40101),
        (BASIC[:-4], 40101),
        ("Digest x", 40101),
        ("", 40101),
    ],
)
def test_who_may_publish(authorization: str | None, expected: int) -> None:
    account = NtfyAccount(access_tokens={"tk_good"}, users={"phil": "mypass"}, open=False)
    headers = () if authorization is None else (("authorization", authorization),)
    call = Call("POST", "/news", headers, b"x")
    if expected == 200:
        assert published(call, account)["message"] == "x"
    else:
        assert code(call, account) == expected


def test_a_wrong_key_is_told_before_all_else() -> None:
    account = NtfyAccount(access_tokens={"tk_good"})
    body = msgspec.json.encode({"topic": "docs"})
    assert code(Call("POST", "/", (("authorization", "Bearer tk_wrong"),), body), account) == 40101
    assert code(Call("POST", "/", (("authorization", "Bearer tk_good"),), body), account) == 40010


def test_special_topics() -> None:
    account = NtfyAccount()
    account.denied.add("private")
    account.silent.add("up1")
    assert code(Call("POST", "/private", (), b"x"), account) == 40301
    assert code(Call("POST", "/up1?up=1", (), b"x"), account) == 50701
    assert published(Call("POST", "/up1", (), b"x"), account)["message"] == "x"


def test_scripted_answers_speak_ntfy() -> None:
    rules = NtfyRules()
    call = as_json(message="x")
    ruling = rules.judge(call, NOW)
    busy = rules.scripted(call, ruling, Answer(429, "42901", retry_after=7))
    assert busy.status == 429
    assert ("Retry-After", "7") in busy.headers
    assert msgspec.json.decode(busy.body)["error"] == "limit reached: too many requests"
    assert rules.scripted(call, ruling, Answer(502, "bad gateway")).status == 502
    assert rules.scripted(call, ruling, Answer(200)) is ruling
    refused = rules.judge(as_json(priority=9), NOW)
    assert rules.scripted(call, refused, Answer(200)).pushes[0][0] == "news"

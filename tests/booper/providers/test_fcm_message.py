"""FCM: the exact JSON that travels, in the words of each platform, and what is never sent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from booper.domain.content import Content, Form, Interruption, Priority
from booper.domain.delivery import Target
from booper.domain.live_activity import Event, LiveActivity
from booper.domain.outcome import Kind, Outcome
from booper.providers.fcm import CompiledFcm, Fcm, FcmCodec
from booper.providers.provider import Occasion
from tests.booper.providers.keys import RSA, pem

NOW = 1_800_000_000.0
OCCASION = Occasion("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", NOW)
ACCOUNT = {"client_email": "push@example.com", "private_key": pem(RSA), "project_id": "my-project"}
NAMED = {"notification_id": OCCASION.id}
DEVICE = "abc:DEF_123-456.789"


def codec(**table: object) -> FcmCodec:
    return Fcm().codec("google", {"credentials": msgspec.json.encode(ACCOUNT).decode(), **table})


CODEC = codec()


def compiled(content: Content, own: FcmCodec = CODEC) -> CompiledFcm | Outcome:
    return own.compile(content.checked(), OCCASION, own.mint(NOW))


def sent(content: Content, device: str = DEVICE, own: FcmCodec = CODEC) -> dict[str, Any]:
    """The body that would go out."""
    made = compiled(content, own)
    assert isinstance(made, CompiledFcm), made
    ((path, stamped, body),) = made.stamps([Target(7, device, 0.0)])
    assert (path, stamped) == (b"", ())
    found: dict[str, Any] = msgspec.json.decode(body)
    return found


def test_a_golden_message() -> None:
    content = Content(
        title="Hi",
        body="There",
        data={"n": 1, "s": "x", "deep": {"a": [1]}},
        url="https://example.com/",
        sound="ping",
        badge=3,
        ttl=60,
        thread="t",
        interruption=Interruption.ACTIVE,
        priority=Priority.NORMAL,
        collapse_key="c",
    )
    made = compiled(content)
    assert isinstance(made, CompiledFcm)
    assert made.template.authority == b"fcm.googleapis.com:443"
    assert made.template.path == b"/v1/projects/my-project/messages:send"
    assert made.template.method == b"POST"
    assert sent(content) == {
        "message": {
            "token": DEVICE,
            "notification": {"title": "Hi", "body": "There"},
            "data": {
                **NAMED,
                "n": "1",
                "s": "x",
                "deep": '{"a":[1]}',
                "url": "https://example.com/",
            },
            "android": {
                "priority": "NORMAL",
                "ttl": "60s",
                "collapse_key": "c",
                "notification": {"sound": "ping", "notification_count": 3, "tag": "c"},
            },
            "apns": {
                "headers": {
                    "apns-priority": "5",
                    "apns-expiration": "1800000060",
                    "apns-collapse-id": "c",
                },
                "payload": {
                    "aps": {
                        "sound": "ping",
                        "badge": 3,
                        "thread-id": "t",
                        "interruption-level": "active",
                    }
                },
            },
            "webpush": {
                "headers": {"TTL": "60", "Urgency": "normal"},
                "fcm_options": {"link": "https://example.com/"},
            },
        }
    }


def test_data_alone_shows_nothing_anywhere() -> None:
    said = sent(Content(data={"k": "v"}, ttl=0, url="http://no.link"))["message"]
    assert said == {
        "token": DEVICE,
        "data": {**NAMED, "k": "v", "url": "http://no.link"},
        "android": {"priority": "HIGH", "ttl": "0s", "collapse_key": OCCASION.id},
        "apns": {
            "headers": {"apns-priority": "5", "apns-expiration": "0"},
            "payload": {"aps": {"content-available": 1}},
        },
        "webpush": {"headers": {"TTL": "0", "Urgency": "high"}},
    }


def test_texts_of_the_apps_own_languages() -> None:
    said = sent(Content(title_loc_key="T", title_loc_args=("a",), loc_key="B"))["message"]
    assert "notification" not in said
    assert said["android"]["notification"] == {
        "tag": OCCASION.id,
        "title_loc_key": "T",
        "title_loc_args": ["a"],
        "body_loc_key": "B",
    }
    assert said["apns"]["payload"]["aps"] == {
        "alert": {"title-loc-key": "T", "title-loc-args": ["a"], "loc-key": "B"},
        "sound": "default",
    }


def test_a_subtitle_is_apples_alone_and_brings_the_other_texts() -> None:
    said = sent(Content(title="t", subtitle="s", body="b"))["message"]
    assert said["notification"] == {"title": "t", "body": "b"}
    alert = {"title": "t", "subtitle": "s", "body": "b"}
    assert said["apns"]["payload"]["aps"]["alert"] == alert


def test_a_call_goes_as_data_at_once() -> None:
    said = sent(Content(title="Ann", data={"call": 7}, form=Form.VOIP))["message"]
    assert said["data"] == {**NAMED, "title": "Ann", "call": "7"}
    assert said["android"]["priority"] == "HIGH"
    assert "notification" not in said
    assert "notification" not in said["android"]


def test_google_keeps_nothing_longer_than_four_weeks() -> None:
    said = sent(Content(title="t", ttl=30 * 86_400))["message"]
    assert said["android"]["ttl"] == "2419200s"
    assert said["webpush"]["headers"]["TTL"] == "2419200"


def test_raw_is_laid_over_the_body_of_the_request() -> None:
    raw = {"fcm": {"message": {"android": {"ttl": None}, "data": {"x": "y"}}, "other": 1}}
    body = sent(Content(title="t", raw=raw))
    assert body["other"] == 1
    assert body["message"]["data"] == {**NAMED, "x": "y"}
    assert "ttl" not in body["message"]["android"]
    bare: dict[str, Any] = dict.fromkeys(("notification", "data", "android", "apns", "webpush"))
    empty = sent(Content(title="t", raw={"fcm": {"message": bare}}))
    assert empty == {"message": {"token": DEVICE}}


def test_validate_only_is_an_option_of_the_instance_or_of_the_message() -> None:
    asked = {"fcm": {"validate_only": True}}
    assert "validate_only" not in sent(Content(title="t"))
    assert sent(Content(title="t", raw=asked))["validate_only"] is True
    assert sent(Content(title="t"), own=codec(validate_only=True))["validate_only"] is True


@pytest.mark.parametrize(
    ("content", "status", "word"),
    [
        (Content(title="x", data={"google.x": "1"}), 400, "google.x"),
        (Content(title="x", data={"from": "1"}), 400, "from"),
        (Content(title="x", raw={"fcm": {"message": {"data": {"gcm": "1"}}}}), 400, "gcm"),
        (Content(title="x", raw={"fcm": {"message": {"topic": "all"}}}), 400, "topic"),
        (Content(title="x", raw={"fcm": {"message": {"token": "t"}}}), 400, "token"),
        (Content(title="x", raw={"fcm": {"message": None}}), 400, "no message"),
        (Content(title="x", raw={"fcm": {"message": "m"}}), 400, "no message"),
        (Content(live_activity=LiveActivity(Event.UPDATE)), 400, "live activities"),
        (Content(title="x", data={"k": "v" * 4096}), 413, "4096"),
        (Content(title="x", raw={"fcm": {"message": {"data": {"k": "v" * 4096}}}}), 413, "4096"),
    ],
)
def test_what_google_would_never_take_fails_the_message_alone(
    content: Content, status: int, word: str
) -> None:
    refused = compiled(content)
    assert isinstance(refused, Outcome)
    assert (refused.kind, refused.status) == (Kind.FAILED, status)
    assert word in refused.reason


@pytest.mark.parametrize(
    ("device", "field", "value"),
    [
        ("topic:news", "topic", "news"),
        ("condition:'a' in topics && 'b' in topics", "condition", "'a' in topics && 'b' in topics"),
        ("fid:cJb2Jt3xQm-_0123456789", "fid", "cJb2Jt3xQm-_0123456789"),
        ("topical:" + "x" * 20, "token", "topical:" + "x" * 20),
    ],
)
def test_a_target_is_named_in_the_field_it_belongs_to(device: str, field: str, value: str) -> None:
    said = sent(Content(title="t"), device)["message"]
    assert said[field] == value
    assert len({"token", "topic", "condition", "fid"} & said.keys()) == 1

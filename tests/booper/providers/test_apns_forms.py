"""APNs: each form's headers and payload, the app's own texts, raw overrides, limits after all."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from booper.domain.content import Content, Form
from booper.domain.delivery import Target
from booper.domain.live_activity import Event, LiveActivity
from booper.domain.outcome import Kind, Outcome
from booper.providers.apns import Apns, CompiledApns
from booper.providers.provider import Occasion
from booper.simulators.apns import generate_key

NOW = 1_800_000_000.0
OCCASION = Occasion("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", NOW)
NAMED = {"notification_id": OCCASION.id}
CODEC = Apns().codec(
    "main",
    {
        "key_id": "KEY1234567",
        "team_id": "TEAM123456",
        "topic": "com.example.app",
        "private_key": generate_key().private_key_pem,
    },
)


def compiled(content: Content) -> CompiledApns | Outcome:
    return CODEC.compile(content.checked(), OCCASION, CODEC.mint(NOW))


def sent(content: Content) -> tuple[dict[bytes, bytes], dict[str, Any]]:
    """Headers and payload of what would go out."""
    made = compiled(content)
    assert isinstance(made, CompiledApns), made
    ((_, _, body),) = made.stamps([Target(7, "ab" * 32, NOW)])
    return dict(made.template.headers), msgspec.json.decode(body)


def test_texts_of_the_apps_own_languages() -> None:
    content = Content(
        title_loc_key="T",
        title_loc_args=("Ann",),
        subtitle_loc_key="S",
        loc_key="B",
        loc_args=("1", "2"),
        body="for old apps",
    )
    assert sent(content)[1]["aps"] == {
        "alert": {
            "body": "for old apps",
            "title-loc-key": "T",
            "title-loc-args": ["Ann"],
            "subtitle-loc-key": "S",
            "loc-key": "B",
            "loc-args": ["1", "2"],
        },
        "sound": "default",
    }


def test_a_voip_push_rings_at_once_under_its_own_topic() -> None:
    headers, said = sent(Content(data={"call": 7}, form=Form.VOIP, ttl=30))
    assert headers[b"apns-topic"] == b"com.example.app.voip"
    assert (headers[b"apns-push-type"], headers[b"apns-priority"]) == (b"voip", b"10")
    assert headers[b"apns-expiration"] == b"1800000030"
    assert b"apns-collapse-id" not in headers, "a second call is no newer version of the first"
    assert said == {**NAMED, "call": 7, "aps": {}}


def test_data_alone_can_be_an_alert_if_it_says_so() -> None:
    headers, said = sent(Content(data={"a": 1}, form=Form.ALERT))
    assert (headers[b"apns-push-type"], headers[b"apns-priority"]) == (b"alert", b"10")
    assert said == {**NAMED, "a": 1, "aps": {}}


LIVE = LiveActivity(Event.UPDATE, {"score": [1, 0]})


@pytest.mark.parametrize(
    ("content", "aps"),
    [
        (
            Content(live_activity=LIVE),
            {"timestamp": 1_800_000_000, "event": "update", "content-state": {"score": [1, 0]}},
        ),
        (
            Content(
                title="Goal",
                loc_key="GOAL",
                loc_args=("1:0",),
                sound="cheer",
                live_activity=LiveActivity(Event.UPDATE, {}, timestamp=5, stale_at=9, relevance=2),
            ),
            {
                "timestamp": 5,
                "event": "update",
                "content-state": {},
                "stale-date": 9,
                "relevance-score": 2,
                "alert": {
                    "title": "Goal",
                    "body": {"loc-key": "GOAL", "loc-args": ["1:0"]},
                    "sound": "cheer",
                },
            },
        ),
        (
            Content(
                title="Ride",
                live_activity=LiveActivity(
                    Event.START, {"eta": 5}, type="RideAttributes", attributes={"from": "here"}
                ),
            ),
            {
                "timestamp": 1_800_000_000,
                "event": "start",
                "content-state": {"eta": 5},
                "attributes-type": "RideAttributes",
                "attributes": {"from": "here"},
                "alert": {"title": "Ride"},
            },
        ),
        (
            Content(live_activity=LiveActivity(Event.END, {}, dismiss_at=1)),
            {
                "timestamp": 1_800_000_000,
                "event": "end",
                "content-state": {},
                "dismissal-date": 1,
            },
        ),
    ],
)
def test_a_live_activity_changes(content: Content, aps: dict[str, Any]) -> None:
    headers, said = sent(content)
    assert said == {"aps": aps}
    assert headers[b"apns-topic"] == b"com.example.app.push-type.liveactivity"
    assert headers[b"apns-push-type"] == b"liveactivity"
    assert b"apns-collapse-id" not in headers


@pytest.mark.parametrize(
    ("content", "patch", "push_type", "said"),
    [
        (Content(), {"aps": {"alert": "x"}}, b"alert", {"aps": {"alert": "x"}}),
        (
            Content(title="t", sound="s"),
            {"aps": {"alert": None, "sound": None}, "k": 1},
            b"background",
            {"k": 1, "aps": {"content-available": 1}},
        ),
        (
            Content(title="t"),
            {"aps": {"alert": {"title-loc-key": "T"}, "sound": {"critical": 1, "volume": 0.5}}},
            b"alert",
            {
                "aps": {
                    "alert": {"title": "t", "title-loc-key": "T"},
                    "sound": {"critical": 1, "volume": 0.5},
                }
            },
        ),
        (
            Content(data={"a": 1}, form=Form.BACKGROUND),
            {"aps": {"content-available": 2}},
            b"background",
            {"a": 1, "aps": {"content-available": 2}},
        ),
        (Content(title="t"), {"aps": "mine"}, b"alert", {"aps": "mine"}),
        (Content(title="t", data={"a": 1}), {"aps": None}, b"alert", {"a": 1}),
        (
            Content(badge=1, data={"notification_id": "my own"}),
            {},
            b"alert",
            {"notification_id": "my own", "aps": {"badge": 1}},
        ),
    ],
)
def test_raw_has_the_last_word_and_decides_the_push_type(
    content: Content, patch: dict[str, Any], push_type: bytes, said: dict[str, Any]
) -> None:
    raw = msgspec.structs.replace(content, raw={"apns": patch, "fcm": {"not": "ours"}})
    headers, found = sent(raw)
    assert (headers[b"apns-push-type"], found) == (push_type, {**NAMED, **said})


@pytest.mark.parametrize(("form", "limit"), [(None, 4096), (Form.VOIP, 5120)])
def test_limits_count_what_raw_added(form: Form | None, limit: int) -> None:
    def content(size: int) -> Content:
        return Content(title="t", form=form, raw={"apns": {"x": "y" * size}})

    frame = len(msgspec.json.encode(sent(content(0))[1]))
    assert isinstance(compiled(content(limit - frame)), CompiledApns)
    refused = compiled(content(limit - frame + 1))
    assert isinstance(refused, Outcome)
    assert (refused.kind, refused.status) == (Kind.FAILED, 413)
    assert str(limit) in refused.reason

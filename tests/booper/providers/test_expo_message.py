"""The neutral message in Expo's words."""

from __future__ import annotations

from typing import Any

import pytest

from booper.domain.content import Content, Form, Interruption, Priority
from booper.domain.live_activity import Event, LiveActivity
from booper.domain.outcome import Kind, Outcome
from booper.providers.expo_message import message
from booper.providers.provider import Occasion

OCCASION = Occasion("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", 1_800_000_000.0)
NAMED = {"notification_id": OCCASION.id}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (Content(title="t"), {"title": "t", "sound": "default", "priority": "high"}),
        (Content(title="t", priority=Priority.NORMAL), {"priority": "normal"}),
        (Content(badge=0), {"badge": 0, "sound": None, "contentAvailable": None}),
        (
            Content(data={"x": 1}),
            {"contentAvailable": True, "priority": "normal", "collapseId": None, "sound": None},
        ),
        (Content(title="t", ttl=0), {"ttl": 0, "expiration": None}),
        (Content(title="t", collapse_key="score"), {"collapseId": "score", "tag": "score"}),
        (
            Content(title="t", interruption=Interruption.CRITICAL),
            {
                "sound": {"critical": True, "name": "default", "volume": 1.0},
                "interruptionLevel": "critical",
            },
        ),
        (Content(title="t"), {"data": NAMED}),
        (Content(data={"url": "own"}, url="https://a/"), {"data": {**NAMED, "url": "own"}}),
        (Content(data={"notification_id": 7}), {"data": {"notification_id": 7}}),
        (Content(title="t", raw={"fcm": {"title": "no"}}), {"title": "t"}),
        (
            Content(title="t", raw={"expo": {"title": None, "to": "x", "data": {"a": 1}}}),
            {"title": None, "to": None, "data": {**NAMED, "a": 1}},
        ),
        (Content(loc_key="K", raw={"expo": {"body": "b"}}), {"body": "b", "sound": "default"}),
    ],
)
def test_content_in_expos_words(content: Content, expected: dict[str, Any]) -> None:
    made = message(content, OCCASION)
    assert isinstance(made, dict)
    assert {key: made.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    "content",
    [
        Content(title="ring", form=Form.VOIP),
        Content(live_activity=LiveActivity(event=Event.UPDATE)),
        Content(title_loc_key="KEY"),
        Content(loc_key="KEY", data={"x": 1}),
    ],
)
def test_what_expo_has_no_words_for_is_failed(content: Content) -> None:
    made = message(content, OCCASION)
    assert isinstance(made, Outcome)
    assert made.kind is Kind.FAILED

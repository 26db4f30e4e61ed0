"""Content: forms, localisation keys, live activities and raw overrides that contradict nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from booper.domain.content import Content, Form
from booper.domain.errors import Invalid

START = {"event": "start", "type": "Ride", "attributes": {"from": "here"}, "state": {"eta": 5}}


def nested(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(levels - 1):
        inner = {"a": inner}
    return inner


def content(**fields: Any) -> Content:
    return msgspec.convert(fields, Content)


@pytest.mark.parametrize(
    ("fields", "form"),
    [
        ({"title": "t"}, Form.ALERT),
        ({"loc_key": "HELLO"}, Form.ALERT),
        ({"title_loc_key": "HELLO", "title_loc_args": ["Ann"]}, Form.ALERT),
        ({"data": {"a": 1}, "subtitle": "s"}, Form.ALERT),
        ({"data": {"a": 1}, "subtitle_loc_key": "S", "subtitle_loc_args": []}, Form.ALERT),
        ({"data": {"a": 1}, "sound": "s"}, Form.ALERT),
        ({"badge": 0}, Form.ALERT),
        ({"data": {"a": 1}}, Form.BACKGROUND),
        ({"raw": {"apns": {"aps": {"alert": "x"}}}}, Form.BACKGROUND),
        ({"data": {"a": 1}, "form": "alert"}, Form.ALERT),
        ({"data": {"a": 1}, "form": "background"}, Form.BACKGROUND),
        ({"title": "t", "form": "voip"}, Form.VOIP),
        ({"live_activity": {"event": "update", "state": {"a": 1}}}, Form.LIVE_ACTIVITY),
        ({"live_activity": {"event": "end", "dismiss_at": 5}, "title": "t"}, Form.LIVE_ACTIVITY),
        ({"live_activity": START, "title": "t", "form": "live_activity"}, Form.LIVE_ACTIVITY),
    ],
)
def test_a_content_has_a_form_said_or_unsaid(fields: dict[str, Any], form: Form) -> None:
    found = content(**fields).checked()
    assert found.actual_form is form
    assert msgspec.json.decode(msgspec.json.encode(found), type=Content) == found


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"subtitle_loc_key": "S"}, "empty_notification", ""),
        ({"title": "t", "loc_args": ["a"]}, "loc_args_without_key", "/loc_args"),
        (
            {"title": "t", "title_loc_args": ["a"], "loc_key": "K"},
            "loc_args_without_key",
            "/title_loc_args",
        ),
        ({"title": "t", "form": "background"}, "background_shows_nothing", "/form"),
        ({"badge": 0, "form": "background"}, "background_shows_nothing", "/form"),
        (
            {"data": {"a": 1}, "sound": "s", "form": "background"},
            "background_shows_nothing",
            "/form",
        ),
        ({"title": "t", "form": "live_activity"}, "live_activity_and_form", "/form"),
        (
            {"live_activity": {"event": "update"}, "form": "alert"},
            "live_activity_and_form",
            "/live_activity",
        ),
        ({"live_activity": {"event": "start"}}, "live_activity_incomplete", "/live_activity"),
        ({"live_activity": START}, "live_activity_incomplete", "/live_activity"),
        (
            {"live_activity": {"event": "update", "type": "Ride"}},
            "live_activity_not_starting",
            "/live_activity/type",
        ),
        (
            {"live_activity": {"event": "end", "attributes": {}}},
            "live_activity_not_starting",
            "/live_activity/attributes",
        ),
        (
            {"live_activity": {"event": "update", "dismiss_at": 5}},
            "live_activity_not_ending",
            "/live_activity/dismiss_at",
        ),
        ({"raw": {"apns": {"a": "x" * 8192}}}, "raw_too_large", "/raw/apns"),
        ({"raw": {"a/b~": nested(17)}}, "raw_too_deep", "/raw/a~1b~0"),
        ({"raw": {str(n): {} for n in range(17)}}, "raw_too_large", "/raw"),
    ],
)
def test_a_contradiction_has_a_stable_code_and_a_place(
    fields: dict[str, Any], code: str, pointer: str
) -> None:
    with pytest.raises(Invalid) as caught:
        content(**fields).checked()
    assert (caught.value.code, caught.value.pointer) == (code, pointer)


def test_raw_may_be_as_large_and_as_deep_as_its_bounds() -> None:
    frame = len(msgspec.json.encode({"a": ""}))
    fields = {"raw": {"apns": {"a": "x" * (8192 - frame)}, "fcm": nested(16)}}
    assert content(**fields).checked().raw["fcm"] == nested(16)


@pytest.mark.parametrize(
    "fields",
    [
        {"form": "banner"},
        {"loc_key": ""},
        {"loc_args": ["a"] * 17},
        {"loc_args": [1]},
        {"raw": {"apns": []}},
        {"raw": []},
        {"live_activity": {}},
        {"live_activity": {"event": "pause"}},
        {"live_activity": {"event": "end", "dismiss_at": -1}},
        {"live_activity": {"event": "end", "dismiss_at": 1.5}},
        {"live_activity": {"event": "end", "colour": "red"}},
    ],
)
def test_a_field_of_the_wrong_shape_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        content(title="t", **fields)

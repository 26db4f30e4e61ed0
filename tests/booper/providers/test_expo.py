"""Expo: what goes on the wire, in which portions, and which settings and devices are taken."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain.content import Content, Interruption
from booper.domain.delivery import Target
from booper.domain.errors import Invalid, Misconfigured
from booper.domain.outcome import Kind, Outcome
from booper.providers.expo import Expo, ExpoCodec, ExpoParcels
from booper.providers.expo_message import message
from booper.providers.provider import Occasion, Parcel, ParcelCodec
from booper.wire import Reply, Request

NOW = 1_800_000_000.0
OCCASION = Occasion("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", NOW)


def token(number: int) -> str:
    return f"ExponentPushToken[{number:022d}]"


def targets(count: int) -> list[Target]:
    return [Target(number, token(number), NOW) for number in range(count)]


def codec(**table: object) -> ExpoCodec:
    return Expo().codec("expo", dict(table))


def compiled(content: Content, **table: object) -> ExpoParcels:
    own = codec(**table)
    made = own.compile(content, OCCASION, own.mint(NOW))
    assert isinstance(made, ExpoParcels)
    return made


def said(request: Request) -> Any:
    """A request's body as Expo reads it."""
    body = request.body
    if dict(request.headers).get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return json.loads(body)


def test_a_golden_request() -> None:
    content = Content(
        title="Hi",
        subtitle="You",
        body="There",
        badge=3,
        sound="ding.wav",
        data={"a": {"b": [1, None]}, "é": "✓"},
        image="https://example.org/i.png",
        url="https://example.org/",
        category="mail",
        thread="t",
        interruption=Interruption.TIME_SENSITIVE,
        ttl=3600,
    )
    made = compiled(content, access_token="s3cret", channel_id="urgent")
    (parcel,) = made.pack(targets(2))
    assert parcel.places == (0, 1)
    assert parcel.request.method == "POST"
    assert parcel.request.url == "https://exp.host:443/--/api/v2/push/send"
    assert dict(parcel.request.headers) == {
        "accept": "application/json",
        "content-type": "application/json",
        "authorization": "Bearer s3cret",
    }
    assert parcel.request.body.decode() == (
        '[{"to":["ExponentPushToken[0000000000000000000000]",'
        '"ExponentPushToken[0000000000000000000001]"],'
        '"title":"Hi","subtitle":"You","body":"There",'
        '"data":{"notification_id":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b","url":"https://example.org/","a":{"b":[1,null]},"é":"✓"},'
        '"sound":"ding.wav","badge":3,"interruptionLevel":"time-sensitive",'
        '"channelId":"urgent","categoryId":"mail","threadId":"t",'
        '"richContent":{"image":"https://example.org/i.png"},"mutableContent":true,'
        '"collapseId":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",'
        '"tag":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b","priority":"high","expiration":1800003600}]'
    )
    assert "s3cret" not in repr(parcel)


def test_the_limit_is_checked_after_wrapping_and_overriding() -> None:
    own = codec()
    access = own.mint(NOW)
    empty = message(Content(body="x", data={"d": ""}), OCCASION)
    room = 4096 - len(json.dumps(empty, separators=(",", ":")))
    fits = Content(body="x", data={"d": "y" * room})
    assert isinstance(own.compile(fits, OCCASION, access), ExpoParcels)
    for content in (
        Content(body="x", data={"d": "y" * (room + 1)}),
        Content(body="x", raw={"expo": {"data": {"d": "y" * (room + 1)}}}),
    ):
        made = own.compile(content, OCCASION, access)
        assert isinstance(made, Outcome)
        assert (made.kind, made.status) == (Kind.FAILED, 413)
        assert "4096" in made.reason


def test_nothing_at_all_is_still_json() -> None:
    named = ("priority", "expiration", "contentAvailable", "data")
    raw = {"expo": dict.fromkeys(named)}
    (parcel,) = compiled(Content(raw=raw)).pack(targets(1))
    assert said(parcel.request) == [{"to": [token(0)]}]


@pytest.mark.parametrize("count", [0, 1, 100, 101, 500])
def test_a_hundred_recipients_a_request(count: int) -> None:
    parcels = list(compiled(Content(title="t")).pack(targets(count)))
    assert [len(parcel.places) for parcel in parcels] == [100] * (count // 100) + (
        [count % 100] if count % 100 else []
    )
    assert [place for parcel in parcels for place in parcel.places] == list(range(count))
    for parcel in parcels:
        assert said(parcel.request)[0]["to"] == [token(place) for place in parcel.places]


def test_a_body_above_a_kibibyte_is_compressed() -> None:
    (small,) = compiled(Content(title="t")).pack(targets(1))
    assert "content-encoding" not in dict(small.request.headers)
    (large,) = compiled(Content(title="t")).pack(targets(100))
    assert dict(large.request.headers)["content-encoding"] == "gzip"
    assert len(large.request.body) < 1024
    assert said(large.request)[0]["title"] == "t"
    (again,) = compiled(Content(title="t")).pack(targets(100))
    assert again.request.body == large.request.body


def split(made: ExpoParcels, parcel: Parcel, error: dict[str, Any]) -> list[Parcel]:
    found = made.read(parcel, Reply(400, (), json.dumps({"errors": [error]}).encode()))
    return [item for item in found if isinstance(item, Parcel)]


def test_mixed_projects_are_sent_apart_as_the_answer_names_them() -> None:
    made = compiled(Content(title="t"))
    parcel = list(made.pack(targets(105)))[1]
    details = {"@a/one": [token(100), token(103)], "@a/two": [token(101)], "@b/x": [token(7)]}
    parts = split(made, parcel, {"code": "PUSH_TOO_MANY_EXPERIENCE_IDS", "details": details})
    assert [part.places for part in parts] == [(100, 103), (101,), (102, 104)]
    assert said(parts[0].request)[0]["to"] == [token(100), token(103)]
    assert said(parts[0].request)[0]["title"] == "t"
    # And such a part can be parted again.
    again = split(made, parts[2], {"code": "PUSH_TOO_MANY_NOTIFICATIONS"})
    assert [part.places for part in again] == [(102,), (104,)]


@pytest.mark.parametrize("details", [None, [], "x", {}, {"@a/b": "x"}, {"@a/b": [1, {}]}])
def test_mixed_projects_without_their_names_are_halved(details: Any) -> None:
    made = compiled(Content(title="t"))
    (parcel,) = made.pack(targets(5))
    parts = split(made, parcel, {"code": "PUSH_TOO_MANY_EXPERIENCE_IDS", "details": details})
    assert [part.places for part in parts] == [(0, 1), (2, 3, 4)]


def test_a_single_recipient_cannot_be_parted() -> None:
    made = compiled(Content(title="t"))
    (parcel,) = made.pack(targets(1))
    for code in ("PUSH_TOO_MANY_EXPERIENCE_IDS", "PUSH_TOO_MANY_NOTIFICATIONS"):
        body = json.dumps({"errors": [{"code": code}]}).encode()
        assert made.read(parcel, Reply(400, (), body)) == [Outcome(Kind.FAILED, 400, code)]


@given(st.integers(1, 100))
def test_parting_ends_well_before_the_courier_gives_up(count: int) -> None:
    made = compiled(Content(title="t"))
    load = list(made.pack(targets(count)))
    for _ in range(9):
        load = [
            part
            for parcel in load
            for part in split(made, parcel, {"code": "PUSH_TOO_MANY_NOTIFICATIONS"})
        ]
    assert load == []


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("ExponentPushToken[xxxxxxxxxxxxxxxxxxxxxx]", "ExponentPushToken[xxxxxxxxxxxxxxxxxxxxxx]"),
        ("ExpoPushToken[a-_9]", "ExpoPushToken[a-_9]"),
        ("F5741A13-BCDA-434B-A316-5DC0E6FFA94F", "f5741a13-bcda-434b-a316-5dc0e6ffa94f"),
    ],
)
def test_device_tokens(text: str, spelling: str) -> None:
    assert Expo().device_token(text) == spelling


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ExponentPushToken[]",
        "ExponentPushToken[a",
        "exponentpushtoken[a]",
        'ExponentPushToken[a"]',
        "ExponentPushToken[a]\n",
        " ExponentPushToken[a]",
        f"ExponentPushToken[{'a' * 257}]",
        "ab" * 32,
        "f5741a13-bcda-434b-a316-5dc0e6ffa94",
        "f5741a13bcda434ba3165dc0e6ffa94f",
    ],
)
def test_not_device_tokens(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        Expo().device_token(text)
    assert caught.value.code == "invalid_device_token"


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ({"access_token": "line\nfeed"}, "bad_access_token"),
        ({"access_token": ""}, "bad_access_token"),
        ({"access_token": "ü"}, "bad_access_token"),
        ({"access_token": 7}, "invalid_settings"),
        ({"url": "http://exp.host"}, "invalid_url"),
        ({"url": "https://exp.host/path"}, "invalid_url"),
        ({"max_connections": 0}, "invalid_settings"),
        ({"channel_id": ""}, "invalid_settings"),
        ({"tokens": "x"}, "invalid_settings"),
    ],
)
def test_settings_that_are_refused(table: dict[str, object], code: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        codec(**table)
    assert caught.value.code == code
    assert "line\nfeed" not in caught.value.detail


def test_where_it_sends() -> None:
    own = codec(url="https://[::1]:8443", ca_file="ca.pem", max_connections="3")
    assert isinstance(own, ParcelCodec)
    assert (own.outlet.ca_file, own.outlet.max_connections) == ("ca.pem", 3)
    assert not own.outlet.guarded
    made = own.compile(Content(title="t"), OCCASION, own.mint(NOW))
    assert isinstance(made, ExpoParcels)
    (parcel,) = made.pack(targets(1))
    assert parcel.request.url == "https://[::1]:8443/--/api/v2/push/send"
    assert "authorization" not in dict(parcel.request.headers)


def test_the_key_is_never_renewed() -> None:
    own = codec(access_token="k")
    access = own.mint(NOW)
    assert access.renew_at == float("inf")
    assert not own.renewable(Outcome(Kind.REFUSED, 401, "UNAUTHORIZED"), 1e9)

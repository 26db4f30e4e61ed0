"""Push subscriptions: one spelling for each, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain.errors import Invalid
from booper.providers import push_subscription

POINT = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
ENDPOINT = "https://push.example.net/wpush/v2/gAAA-_b=?x=1"


def text(endpoint: object = ENDPOINT, p256dh: object = POINT, auth: object = AUTH) -> str:
    return json.dumps({"endpoint": endpoint, "keys": {"p256dh": p256dh, "auth": auth}})


def spelled(given_text: str) -> str:
    return push_subscription.spelled(push_subscription.read(given_text))


def test_what_a_browser_gives_has_one_spelling() -> None:
    expected = json.dumps(
        {"endpoint": ENDPOINT, "keys": {"auth": AUTH, "p256dh": POINT}}, separators=(",", ":")
    )
    browser: dict[str, Any] = {"expirationTime": None, "endpoint": ENDPOINT, "options": {}}
    browser["keys"] = {"p256dh": POINT + "=", "auth": AUTH + "=="}
    assert spelled(text()) == expected
    assert spelled(json.dumps(browser, indent=2)) == expected
    assert spelled(expected) == expected


@pytest.mark.parametrize(
    ("endpoint", "shown", "origin", "host"),
    [
        (ENDPOINT, ENDPOINT, "https://push.example.net", "push.example.net"),
        ("HTTPS://Push.Example.NET/A", "https://push.example.net/A", None, "push.example.net"),
        ("https://a.example:443/x", "https://a.example/x", "https://a.example", "a.example"),
        ("https://a.example:8443/x", None, "https://a.example:8443", "a.example"),
        ("https://a.example", "https://a.example", "https://a.example", "a.example"),
        ("https://[2001:DB8::1]:444/x", None, "https://[2001:db8::1]:444", "2001:db8::1"),
        ("https://a.example/@b:c/%2F//", None, "https://a.example", "a.example"),
    ],
)
def test_origins(endpoint: str, shown: str | None, origin: str | None, host: str) -> None:
    found = push_subscription.read(text(endpoint))
    assert found.host == host
    assert found.origin == (origin or "https://push.example.net")
    assert found.endpoint == (shown or found.origin + endpoint[endpoint.index("/", 8) :])


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example.net/x",
        "ftp://push.example.net/x",
        "//push.example.net/x",
        "push.example.net",
        "https://",
        "https:///x",
        "https://user:pw@push.example.net/x",
        "https://user@push.example.net/x",
        "https://push.example.net:0/x",
        "https://push.example.net:99999/x",
        "https://push.example.net:port/x",
        "https://push.example.net/a b",
        "https://push.example.net/\r\nX: y",
        "https://push.example.net/#f",
        "https://push.example.net\\@evil.example/x",
        "https://bücher.example/x",
        "https://[::1/x",
        "https://push.example.net/" + "a" * 2048,
        "\x00https://push.example.net/x",
        "",
        None,
        7,
    ],
)
def test_endpoints_that_are_none(endpoint: object) -> None:
    with pytest.raises(Invalid) as refused:
        push_subscription.read(text(endpoint))
    assert refused.value.code == "invalid_device_token"
    assert refused.value.pointer in ("/endpoint", "")


@pytest.mark.parametrize(
    "keys",
    [
        {"p256dh": POINT[:-2]},
        {"p256dh": "B" + "A" * 86},  # not on the curve
        {"p256dh": POINT.replace("-", "+")},
        {"p256dh": None},
        {"auth": AUTH + "AA"},
        {"auth": ""},
        {"auth": 5},
        {"auth": "not base64 at all"},
    ],
)
def test_keys_that_are_none(keys: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        push_subscription.read(text(**keys))


@pytest.mark.parametrize("junk", ["", "null", "[]", "{}", "ab" * 32, '{"endpoint":1}', "[" * 3000])
def test_junk(junk: str) -> None:
    with pytest.raises(Invalid):
        push_subscription.read(junk)


@given(st.text(max_size=300))
def test_any_text_is_a_subscription_or_invalid(anything: str) -> None:
    for whole in (anything, text(anything), text(p256dh=anything), text(auth=anything)):
        try:
            found = spelled(whole)
        except Invalid:
            continue
        assert spelled(found) == found

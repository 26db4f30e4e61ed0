"""APNs: which settings and device tokens are taken, and that none of it shows a secret."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain.errors import Invalid, Misconfigured
from booper.providers import codec, provider_named
from booper.providers.apns import Apns, ApnsCodec
from booper.simulators.apns import generate_key
from tests.booper.providers.keys import P256, P384, RSA, pem

KEY = generate_key()
SETTINGS: dict[str, object] = {
    "key_id": "KEY1234567",
    "team_id": "TEAM123456",
    "topic": "com.example.app",
    "private_key": KEY.private_key_pem,
}


def made(**changes: object) -> ApnsCodec:
    return Apns().codec("main", {**SETTINGS, **changes})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key_id": None}, "missing_settings"),
        ({"private_key": None}, "missing_settings"),
        ({"key_id": "short"}, "invalid_settings"),
        ({"key_id": "KEY1234567\n"}, "invalid_settings"),
        ({"team_id": "team123456"}, "invalid_settings"),
        ({"topic": "com.example.app\r\nx: y"}, "invalid_settings"),
        ({"topic": "com.example.app\n"}, "invalid_settings"),
        ({"topic": ""}, "invalid_settings"),
        ({"environment": "test"}, "invalid_settings"),
        ({"max_connections": 0}, "invalid_settings"),
        ({"max_connections": "many"}, "invalid_settings"),
        ({"private_key": 5}, "invalid_settings"),
        ({"colour": "red"}, "invalid_settings"),
        ({"private_key": "SECRET-junk"}, "invalid_key"),
        ({"private_key": ""}, "invalid_key"),
        ({"private_key": "\ud800"}, "invalid_key"),
        ({"private_key": pem(P256)[:100]}, "invalid_key"),
        ({"private_key": pem(P256, password=b"SECRET")}, "invalid_key"),
        ({"private_key": pem(P384)}, "wrong_curve"),
        ({"private_key": pem(RSA)}, "wrong_curve"),
        ({"url": "http://localhost"}, "invalid_url"),
        ({"url": "https://localhost:0x50"}, "invalid_url"),
        ({"url": "https://localhost:99999"}, "invalid_url"),
        ({"url": "https://user:SECRET@localhost"}, "invalid_url"),
        ({"url": "https://localhost/path"}, "invalid_url"),
        ({"url": "https://[::1"}, "invalid_url"),
    ],
)
def test_bad_settings_have_stable_codes_and_show_no_secret(
    changes: dict[str, object], code: str
) -> None:
    table = {k: v for k, v in {"provider": "apns", **SETTINGS, **changes}.items() if v is not None}
    with pytest.raises(Misconfigured) as caught:
        codec("main", table, 0.0)
    error = caught.value
    assert error.code == code
    assert error.detail.startswith("instances.main: ")
    for name in changes:
        assert code != "missing_settings" or name in error.detail
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__, "it may quote the key"
    shown = error.detail + repr(error)
    assert "SECRET" not in shown
    private = str(changes.get("private_key") or SETTINGS["private_key"])
    assert not [line for line in private.splitlines() if len(line) > 20 and line in shown]


@pytest.mark.parametrize("kind", [None, "apple", 5, ["apns"]])
def test_an_unknown_provider_is_named_with_those_there_are(kind: object) -> None:
    with pytest.raises(Misconfigured, match="apns") as caught:
        codec("main", {"provider": kind} if kind else {}, 0.0)
    assert caught.value.code == "unknown_provider"
    with pytest.raises(Invalid) as refused:
        provider_named(str(kind))
    assert (refused.value.code, refused.value.pointer) == ("unknown_provider", "/provider")


@pytest.mark.parametrize(
    ("changes", "host", "port"),
    [
        ({}, "api.push.apple.com", 443),
        ({"environment": "sandbox"}, "api.sandbox.push.apple.com", 443),
        ({"url": "https://localhost:2197"}, "localhost", 2197),
        ({"url": "https://localhost:2197/", "environment": "sandbox"}, "localhost", 2197),
        ({"url": "https://[::1]:2197"}, "::1", 2197),
    ],
)
def test_where_it_connects(changes: dict[str, object], host: str, port: int) -> None:
    endpoint = made(**changes).endpoint
    assert (endpoint.host, endpoint.port, endpoint.one_stream_start) == (host, port, True)


def test_settings_from_the_environment_come_as_texts() -> None:
    assert made(max_connections="7").endpoint.max_connections == 7


def test_the_codec_shows_no_secret() -> None:
    line, made_of = KEY.private_key_pem.splitlines()[1], made()
    shown = repr(made_of) + repr(made_of._config) + repr(vars(made_of))
    assert line not in shown


@pytest.mark.parametrize("token", ["ab" * 32, "AB" * 32, "0f" * 256, "aB" * 50])
def test_a_device_token_has_one_spelling(token: str) -> None:
    assert Apns().device_token(token) == token.lower()


GOOD = "ab" * 32
BAD: list[Any] = [
    "",
    "ab" * 31,
    GOOD + "a",
    "ab" * 257,
    *(
        GOOD + one
        for one in ("\r\n", "\n", "\0", "/", "?", "#", "%", " ", "\t", "..", "é", "\uff10\uff10")
    ),
    *("/" + GOOD, "../" + GOOD, "\n" + GOOD, "xy" * 32, "٣٣" * 32),
]


@pytest.mark.parametrize("token", BAD)
def test_a_device_token_that_could_leave_its_place_in_the_path_is_refused(token: str) -> None:
    with pytest.raises(Invalid) as caught:
        Apns().device_token(token)
    assert (caught.value.code, caught.value.pointer) == ("invalid_device_token", "/device_token")
    assert not token or token not in caught.value.detail


@given(st.text(max_size=600) | st.from_regex(r"[0-9a-f]{60,130}.?", fullmatch=True))
def test_only_hexadecimal_digits_ever_reach_the_path(text: str) -> None:
    try:
        token = Apns().device_token(text)
    except Invalid:
        return
    assert set(token) <= set(string.hexdigits.lower())
    assert len(token) % 2 == 0
    assert 64 <= len(token) <= 512

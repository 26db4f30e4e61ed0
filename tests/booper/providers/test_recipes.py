"""Recipes: presets, the order of sources, and what a file or a command is understood to say."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from booper.domain.access import Source
from booper.domain.errors import Misconfigured
from booper.domain.secret import Secret
from booper.providers.recipes import PRESETS, extract, recipe
from tests.booper.providers.keys import P256, RSA, pem
from tests.booper.providers.test_google import ACCOUNT

APPLE = {"key_id": "ABC1234567", "team_id": "DEF1234567", "private_key": pem(P256)}


def made(preset: str, **more: Any) -> tuple[str, ...]:
    return recipe("x", {"preset": preset, **more}).sources


def test_the_presets_and_their_sources() -> None:
    google = {"credentials": json.dumps(ACCOUNT)}
    assert made("google", **google) == ("manual", "store", "grant")
    assert made("apns", **APPLE) == ("manual", "store", "minted")
    assert made("static", access_token="x") == ("manual", "static")
    assert made("fly") == ("manual", "store", "file", "command")
    assert made("custom", command=["a", "b"]) == ("manual", "store", "command")
    assert made("custom") == ("manual",)


def test_the_order_is_configurable() -> None:
    seeds = ["memory", "store", "file", "command", "manual"]
    assert made("fly", sources=seeds) == ("store", "file", "command", "manual")
    assert made("fly", sources=["file"]) == ("file",)


def test_w10_fly_says_whose_it_is_and_when_it_ends() -> None:
    fly = recipe("shop", {"preset": "fly", "ttl": 7200, "app": "shop-web"})
    assert fly.command[:4] == ("fly", "tokens", "create", "readonly")
    assert fly.command[4:] == ("--expiry", "7200s", "--name", "booper shop")
    assert (fly.file, fly.file_key) == ("~/.fly/config.yml", "access_token")
    assert fly.environment == (("FLY_APP", "shop-web"),)
    own = recipe("shop", {"preset": "fly", "command": ["my", "fly"], "file": "/etc/fly"})
    assert (own.command, own.file, own.file_key) == (("my", "fly"), "/etc/fly", "")


def test_the_defaults_are_the_documented_ones() -> None:
    plain = recipe("x", {"preset": "fly"})
    assert (plain.ttl, plain.lead, plain.timeout, plain.idle) == (86_400, 3600, 15, 3600)


def test_apple_s_is_signed_with_the_key() -> None:
    minting = recipe("x", {"preset": "apns", **APPLE})
    assert minting.mint is not None
    token = minting.mint(1_800_000_000.0)
    claims = jwt.decode(
        token.text.reveal(), P256.public_key(), algorithms=["ES256"], options={"verify_iat": False}
    )
    assert claims == {"iss": "DEF1234567", "iat": 1_800_000_000}
    assert (token.renew_at - token.minted_at, token.expires_at - token.minted_at) == (3000, 3600)


@pytest.mark.parametrize(
    ("name", "table", "code"),
    [
        ("x", {}, "invalid_settings"),
        ("x", {"preset": "nope"}, "unknown_preset"),
        ("x", {"preset": "google"}, "missing_settings"),
        ("x", {"preset": "apns", "key_id": "ABC1234567"}, "missing_settings"),
        ("x", {"preset": "static", "access_token": ""}, "invalid_access_token"),
        ("x", {"preset": "static", "access_token": "hush\nhush"}, "invalid_access_token"),
        ("x", {"preset": "apns", **APPLE, "private_key": pem(RSA)}, "wrong_curve"),
        ("x", {"preset": "apns", **APPLE, "private_key": "hush"}, "invalid_key"),
        ("x", {"preset": "apns", **APPLE, "key_id": "short"}, "invalid_settings"),
        ("x", {"preset": "google", "credentials": "hush"}, "invalid_credentials"),
        ("x", {"preset": "fly", "colour": "red"}, "invalid_settings"),
        ("x", {"preset": "fly", "ttl": 1}, "invalid_settings"),
        ("x", {"preset": "fly", "timeout": 0}, "invalid_settings"),
        ("x", {"preset": "fly", "command": "fly tokens"}, "invalid_settings"),
        ("x", {"preset": "fly", "sources": []}, "invalid_sources"),
        ("x", {"preset": "fly", "sources": ["memory"]}, "invalid_sources"),
        ("x", {"preset": "fly", "sources": ["grant"]}, "invalid_sources"),
        ("x", {"preset": "fly", "sources": ["file", "file"]}, "invalid_sources"),
        ("x", {"preset": "fly", "sources": ["file", "memory"]}, "invalid_sources"),
        ("x", {"preset": "fly", "sources": ["none"]}, "invalid_sources"),
        ("x", {"preset": "fly", "sources": ["ets"]}, "invalid_settings"),
        ("a/b", {"preset": "fly"}, "invalid_name"),
        ("", {"preset": "fly"}, "invalid_name"),
    ],
)
def test_what_cannot_work_is_refused_without_being_quoted(
    name: str, table: dict[str, Any], code: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        recipe(name, table)
    assert refused.value.code == code
    assert "hush" not in refused.value.detail


def test_a_recipe_shows_no_secret() -> None:
    for preset, table in (
        ("static", {"access_token": "canary"}),
        ("google", {"credentials": json.dumps(ACCOUNT)}),
        ("apns", APPLE),
    ):
        shown = repr(recipe("x", {"preset": preset, **table}))
        assert "canary" not in shown
        assert "PRIVATE" not in shown
    assert set(PRESETS) == {"google", "apns", "static", "fly", "custom"}


def test_two_recipes_of_one_name_and_two_tenants_are_two() -> None:

    one = recipe("x", {"preset": "static", "access_token": "a"})
    assert one.key == "x"
    assert replace(one, tenant="t").key == "t/x"
    assert one.fixed == Secret("a")
    assert Source.STATIC in one.sources


FLY = b"""\
# flyctl
access_token: FlyV1 fm2_lJPE,fm2_lJPF
metrics_token: other
wire_guard_state:
  org:
    access_token: inner
"""


@pytest.mark.parametrize(
    ("data", "key", "found"),
    [
        (FLY, "access_token", ("FlyV1 fm2_lJPE,fm2_lJPF", None)),
        (b'access_token: "quoted"\r\n', "access_token", ("quoted", None)),
        (b"access_token: 'quoted'", "access_token", ("quoted", None)),
        (b"access_token = toml", "access_token", ("toml", None)),
        (b"access_token: a=b:c", "access_token", ("a=b:c", None)),
        (b"access_token:\nother: x", "access_token", None),
        (b"access_token: ''", "access_token", None),
        (b"  access_token: inner", "access_token", None),
        (b"my_access_token: x", "access_token", None),
        (b"", "access_token", None),
        (b"text\n", "", ("text", None)),
        (b" \n", "", None),
        (b"\xff", "", None),
        (b'{"accessToken": "j", "expires_in": 60}', "accessToken", ("j", 60.0)),
        (b'{"accessToken": "j", "expires_in": "60"}', "accessToken", ("j", None)),
        (b'{"accessToken": 7}', "accessToken", None),
        (b'{"accessToken": ""}', "accessToken", None),
        (b'{"accessToken": "j"', "accessToken", None),
        (b"[" * 100_000, "accessToken", None),
        (b'{"a":' * 100_000, "a", None),
    ],
)
def test_what_a_file_or_a_command_says(data: bytes, key: str, found: object) -> None:
    assert extract(data, key) == found


@given(st.binary(max_size=200), st.sampled_from(["", "access_token", "{"]))
def test_no_file_can_upset_it(data: bytes, key: str) -> None:
    extract(data, key)

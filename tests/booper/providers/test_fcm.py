"""FCM: what goes on the wire, what answers mean, which credentials are taken."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from booper.domain.content import Content
from booper.domain.errors import Misconfigured
from booper.domain.outcome import Kind
from booper.providers import fcm_answers
from booper.providers.fcm import CompiledFcm, Fcm, FcmCodec
from booper.providers.provider import Occasion
from booper.providers.recipes import Recipe
from booper.providers.retry_after import retry_after
from booper.wire import Lost, Reply

OCCASION = Occasion("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", 1_800_000_000.0)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: Any = KEY) -> str:
    text: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return text.decode()


def account(**changes: Any) -> str:
    whole = {
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": "k1",
        "private_key": pem(),
        "client_email": "push@my-project.iam.gserviceaccount.com",
        **changes,
    }
    return json.dumps(whole)


def codec(**table: object) -> FcmCodec:
    return Fcm().codec("google", {"credentials": account(), **table})


def compiled(content: Content) -> CompiledFcm:
    own = codec()
    made = own.compile(content, OCCASION, own.mint(1_800_000_000.0))
    assert isinstance(made, CompiledFcm)
    return made


def test_the_access_token_is_signed_by_the_service_account() -> None:
    access = codec().mint(1_800_000_000.0)
    claims = jwt.decode(
        access.text.reveal(),
        KEY.public_key(),
        algorithms=["RS256"],
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["iss"] == claims["sub"] == "push@my-project.iam.gserviceaccount.com"
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
    assert jwt.get_unverified_header(access.text.reveal())["kid"] == "k1"
    assert access.minted_at < access.renew_at < access.minted_at + 3600
    header = dict(compiled(Content(title="x")).template.headers)
    assert header[b"authorization"].startswith(b"Bearer ey")


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ({"auth": "oauth", "credentials": account(token_uri="http://a/")}, "invalid_url"),
        ({"auth": "magic"}, "invalid_settings"),
        ({"resolver": ""}, "invalid_settings"),
        ({}, "missing_settings"),
        ({"credentials": "not json"}, "invalid_credentials"),
        ({"credentials": "{}"}, "invalid_credentials"),
        ({"credentials": 5}, "invalid_settings"),
        ({"credentials": account(), "colour": "red"}, "invalid_settings"),
        ({"credentials": account(project_id="")}, "missing_settings"),
        ({"credentials": account(private_key="junk")}, "invalid_key"),
        ({"credentials": account(private_key=pem(ec.generate_private_key(ec.SECP256R1())))},
         "invalid_key"),
        ({"credentials": account(), "url": "http://example.com"}, "invalid_url"),
        ({"credentials": account(), "url": "https://user@example.com"}, "invalid_url"),
    ],
)  # fmt: skip
def test_bad_settings_have_stable_codes_and_show_no_secret(
    table: dict[str, object], code: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        Fcm().codec("google", table)
    assert caught.value.code == code
    assert "PRIVATE KEY" not in caught.value.detail
    assert "push@" not in caught.value.detail


def refusal(status: int, family: str, code: str | None, **headers: str) -> Reply:
    details = [{"@type": "type.googleapis.com/google.rpc.Other"}]
    if code:
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        details.append({"@type": kind, "errorCode": code})
    error = {"code": status, "message": "…", "status": family, "details": details}
    fields = tuple((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items())
    return Reply(status, fields, json.dumps({"error": error}).encode())


@pytest.mark.parametrize(
    ("status", "family", "code", "kind", "after"),
    [
        (404, "NOT_FOUND", "UNREGISTERED", Kind.GONE, 0),
        (404, "NOT_FOUND", None, Kind.FAILED, 0),
        (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", Kind.GONE, 0),
        (403, "PERMISSION_DENIED", None, Kind.REFUSED, 60),
        (400, "INVALID_ARGUMENT", None, Kind.FAILED, 0),
        (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", Kind.FAILED, 0),
        (401, "UNAUTHENTICATED", None, Kind.REFUSED, 60),
        (401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR", Kind.RETRY, 900),
        (401, "UNAUTHENTICATED", "APNS_AUTH_ERROR", Kind.RETRY, 900),
        (429, "RESOURCE_EXHAUSTED", None, Kind.RETRY, 60),
        (500, "INTERNAL", None, Kind.RETRY, 10),
        (503, "UNAVAILABLE", None, Kind.RETRY, 10),
        (504, "DEADLINE_EXCEEDED", None, Kind.RETRY, 60),
        (500, "UNKNOWN", "UNSPECIFIED_ERROR", Kind.RETRY, 60),
        (307, "", None, Kind.RETRY, 60),
        (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", Kind.RETRY, 60),
        (500, "INTERNAL", "INTERNAL", Kind.RETRY, 10),
        (503, "UNAVAILABLE", "UNAVAILABLE", Kind.RETRY, 10),
    ],
)
def test_every_row_of_the_table(
    status: int, family: str, code: str | None, kind: Kind, after: float
) -> None:
    outcome = fcm_answers.read(refusal(status, family, code))
    assert (outcome.kind, outcome.after) == (kind, after)
    assert outcome.reason == (code or family or f"HTTP {status}")


def test_success_keeps_the_name() -> None:
    outcome = fcm_answers.read(Reply(200, (), b'{"name": "projects/p/messages/1"}'))
    assert (outcome.kind, outcome.provider_id) == (Kind.ACCEPTED, "projects/p/messages/1")
    assert fcm_answers.read(Reply(200, (), b"junk")).kind is Kind.ACCEPTED


@given(st.integers(100, 599), st.binary(max_size=200))
def test_junk_never_drops_a_device(status: int, body: bytes) -> None:
    assert fcm_answers.read(Reply(status, (), body)).kind is not Kind.GONE


def test_lost_answers_are_tried_again() -> None:
    assert fcm_answers.read(Lost(sent=True, reason="reset")).maybe_sent
    assert fcm_answers.read(Lost(sent=False, reason="goaway")).kind is Kind.RETRY


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1000000000000", 3600.0),
        ("-5", 10.0),
        ("nan", 10.0),
        ("", 10.0),
        ("Sat, 21 Nov 2026 10:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 10.0),
        ("Sat, 99 Nov 2026 09:00:00 GMT", 10.0),
    ],
)
def test_retry_after_in_both_forms(value: str, seconds: float) -> None:
    date = "Sat, 21 Nov 2026 10:00:00 GMT"
    reply = refusal(503, "UNAVAILABLE", None, retry_after=value, date=date)
    assert retry_after(reply, 10.0) == seconds


@pytest.mark.parametrize(
    ("details", "suspect"),
    [
        ([{"errorCode": "INVALID_ARGUMENT"}], True),
        (
            [
                {"errorCode": "INVALID_ARGUMENT"},
                {"fieldViolations": [{"field": "message.token", "description": "Invalid"}]},
            ],
            True,
        ),
        (
            [
                {"errorCode": "INVALID_ARGUMENT"},
                {"fieldViolations": [{"field": "message.token"}, {"field": "message.data"}]},
            ],
            False,
        ),
        ([{"fieldViolations": [{"field": "message.token"}]}], False),
        ([{"errorCode": "INVALID_ARGUMENT", "fieldViolations": "junk"}], True),
        ([{"errorCode": "INVALID_ARGUMENT", "fieldViolations": [1, {"field": []}]}], False),
        ([{"errorCode": "UNREGISTERED"}], False),
        ([], False),
    ],
)
def test_only_fcm_s_own_code_makes_a_device_a_suspect(
    details: list[dict[str, Any]], suspect: bool
) -> None:
    body = json.dumps({"error": {"status": "INVALID_ARGUMENT", "details": details}}).encode()
    assert fcm_answers.read(Reply(400, (), body)).suspect is suspect


def test_oauth_asks_the_account_s_own_server_and_no_other_account_s_token_is_used() -> None:
    mine = codec(auth="oauth").recipe
    assert isinstance(mine, Recipe)
    assert mine.sources == ("store", "grant")
    assert mine.grant is not None
    assert mine.grant.outlet.guarded
    stranger = account(client_email="other@my-project.iam.gserviceaccount.com")
    again, other = codec(auth="oauth").recipe, codec(auth="oauth", credentials=stranger).recipe
    assert isinstance(again, Recipe)
    assert isinstance(other, Recipe)
    assert mine.key == again.key
    assert mine.key != other.key
    assert codec().recipe is None
    named = Fcm().codec("google", {"resolver": "mine", "project_id": "p"})
    assert named.recipe == "mine"

"""Google's grant: what is asked (RFC 7523), and what every answer means."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain.access import AccessToken, Resolution
from booper.domain.errors import Misconfigured
from booper.domain.secret import Secret
from booper.providers.google import MESSAGING, GoogleGrant, account
from booper.wire import Lost, Reply
from tests.booper.providers.keys import P256, RSA, pem

NOW = 1_800_000_000.7
ACCOUNT = {
    "type": "service_account",
    "client_email": "push@shop.example",
    "private_key": pem(RSA),
    "private_key_id": "key-1",
    "project_id": "shop",
    "token_uri": "https://oauth2.googleapis.com/token",
}


def grant(**more: Any) -> GoogleGrant:
    told = account(Secret(json.dumps({**ACCOUNT, **more})), "resolvers.x")
    return GoogleGrant("resolvers.x", told, MESSAGING, guarded=True)


GRANT = grant()


def read(status: int, body: object, *headers: tuple[bytes, bytes]) -> AccessToken | Resolution:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return GRANT.read(Reply(status, headers, text), NOW)


def test_the_request_is_the_jwt_bearer_grant() -> None:
    request = GRANT.request(NOW)
    assert (request.method, request.url) == ("POST", ACCOUNT["token_uri"])
    assert dict(request.headers)["Content-Type"] == "application/x-www-form-urlencoded"
    form = parse_qs(request.body.decode(), strict_parsing=True)
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    (assertion,) = form["assertion"]
    claims = jwt.decode(
        assertion,
        RSA.public_key(),
        algorithms=["RS256"],
        audience=ACCOUNT["token_uri"],
        options={"verify_exp": False, "verify_iat": False},
    )
    assert jwt.get_unverified_header(assertion)["kid"] == "key-1"
    assert claims == {
        "iss": "push@shop.example",
        "scope": MESSAGING,
        "aud": ACCOUNT["token_uri"],
        "iat": int(NOW),
        "exp": int(NOW) + 3600,
    }


def test_a_tenant_s_server_is_guarded_and_google_s_is_known() -> None:
    outlet = grant(token_uri="https://tenant.example/token").outlet
    assert outlet.guarded
    assert outlet.trusted == (("oauth2.googleapis.com", 443),)


def test_the_token_ends_when_the_server_says() -> None:
    found = read(200, {"access_token": "ya29.x", "expires_in": 3599, "token_type": "Bearer"})
    assert isinstance(found, AccessToken)
    assert (found.text, found.minted_at, found.expires_at) == (Secret("ya29.x"), NOW, NOW + 3599)


@pytest.mark.parametrize(
    ("status", "body", "refused"),
    [
        (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, True),
        (401, {"error": "invalid_client"}, True),
        (403, {"error": "access_denied"}, True),
        (400, {"error": "something_new"}, False),
        (400, b"<html>", False),
        (429, {"error": "invalid_grant"}, False),
        (500, {"error": "internal_failure"}, False),
        (503, b"", False),
        (302, b"", False),
        (200, b"", False),
        (200, {"access_token": ""}, False),
        (200, {"access_token": "a\r\nX-Evil: 1"}, False),
        (200, {"access_token": 7}, False),
        (200, {"access_token": "x", "token_type": "mac"}, False),
        (200, {"access_token": "x", "expires_in": -1}, False),
        (200, {"access_token": "x", "expires_in": "soon"}, False),
    ],
)
def test_no_token_and_why(status: int, body: object, refused: bool) -> None:
    found = read(status, body)
    assert isinstance(found, Resolution)
    assert found.access is None
    assert found.refused is refused
    assert found.why.startswith("the authorisation server")


def test_the_server_s_own_words_are_shown_and_no_secret_in_them() -> None:
    said = {"error": "invalid_grant", "error_description": "Bad eyJhbGciOi.eyJpc3Mi.sig \x00here"}
    found = read(400, said)
    assert isinstance(found, Resolution)
    assert found.why == "the authorisation server: HTTP 400 invalid_grant Bad … here"


def test_when_to_ask_again() -> None:
    busy = read(503, b"", (b"retry-after", b"30"))
    lost = GRANT.read(Lost(sent=True, reason="deadline", detail="x"), NOW)
    assert isinstance(busy, Resolution)
    assert isinstance(lost, Resolution)
    assert (busy.after, lost.after, lost.refused) == (30.0, 5.0, False)


@given(st.integers(100, 599), st.binary(max_size=300))
def test_no_answer_can_upset_it(status: int, body: bytes) -> None:
    assert isinstance(GRANT.read(Reply(status, (), body), NOW), AccessToken | Resolution)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not json", "invalid_credentials"),
        ("{}", "invalid_credentials"),
        (json.dumps({**ACCOUNT, "private_key": "hush"}), "invalid_key"),
        (json.dumps({**ACCOUNT, "private_key": pem(P256)}), "invalid_key"),
        *(
            (json.dumps({**ACCOUNT, "token_uri": uri}), "invalid_url")
            for uri in ("http://a/", "https://", "https://u:p@a/", "https://[::1", "https://ä/")
        ),
    ],
)
def test_an_account_that_cannot_work_is_refused_without_being_quoted(text: str, code: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        GoogleGrant("x", account(Secret(text), "x"), MESSAGING, guarded=False)
    assert refused.value.code == code
    assert "hush" not in refused.value.detail
    assert "BEGIN" not in refused.value.detail

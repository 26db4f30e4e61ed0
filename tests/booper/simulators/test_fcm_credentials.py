"""The simulated Google's bearers: signed by the account itself, or got from the token endpoint."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import jwt
import msgspec
import pytest

from booper.simulators.fcm import Credentials, Project, ServiceAccount, generate_account
from booper.simulators.fcm.credentials import GRANT, TOKEN_AUDIENCE
from booper.simulators.serving import Response

NOW = 1_800_000_000
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
ISSUED = generate_account("my-project")
OTHER = generate_account("my-project", "other", "2" * 40)
EMAIL = ISSUED.account.email
CLAIMS: dict[str, Any] = {
    "iss": EMAIL,
    "sub": EMAIL,
    "scope": SCOPE,
    "iat": NOW,
    "exp": NOW + 3600,
}


def signed(key: str = ISSUED.fields["private_key"], **changes: Any) -> str:
    kid = changes.pop("kid", ISSUED.account.key_id)
    claims = {k: v for k, v in {**CLAIMS, **changes}.items() if v is not None}
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})


def fresh() -> tuple[Project, Credentials]:
    project = Project("my-project", [ISSUED.account])
    return project, Credentials(project)


def reason(found: ServiceAccount | Response) -> str:
    return found.reason if isinstance(found, Response) else found.email


def presented(text: str, now: float = NOW) -> str:
    """The account's address, or the word for the refusal."""
    return reason(fresh()[1].bearer(f"Bearer {text}".encode(), now))


@pytest.mark.parametrize(
    "changes", [{}, {"scope": None, "aud": "https://fcm.googleapis.com/"}, {"scope": f"a {SCOPE}"}]
)
def test_a_jwt_of_its_own_is_a_credential(changes: dict[str, Any]) -> None:
    assert presented(signed(**changes)) == EMAIL


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"key": OTHER.fields["private_key"]}, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ({"kid": "unknown"}, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ({"iss": "x@y"}, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ({"sub": "x@y"}, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ({"scope": "email"}, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ({"scope": None, "aud": "https://example.com"}, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ({"exp": NOW + 3601}, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ({"exp": None}, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ({"iat": "x"}, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ({"iat": NOW - 7200, "exp": NOW - 3600}, "ACCESS_TOKEN_EXPIRED"),
        ({"iat": NOW + 301}, "ACCESS_TOKEN_EXPIRED"),
    ],
)
def test_a_jwt_that_proves_nothing_is_refused(changes: dict[str, Any], word: str) -> None:
    assert presented(signed(**changes)) == word


@pytest.mark.parametrize("header", [None, b"", b"Bearer", b"Bearer ", b"Basic eA=="])
def test_a_request_without_a_bearer_is_told_so(header: bytes | None) -> None:
    found = fresh()[1].bearer(header, NOW)
    assert isinstance(found, Response)
    assert (found.status, found.reason) == (401, "CREDENTIALS_MISSING")


@pytest.mark.parametrize("junk", ["x", "a.b.c", "ya29.unknown", "é", "e30.e30."])
def test_junk_is_no_credential(junk: str) -> None:
    assert presented(junk) == "ACCESS_TOKEN_TYPE_UNSUPPORTED"


def exchange(credentials: Credentials, assertion: str, **form: str) -> tuple[int, dict[str, Any]]:
    whole = {"grant_type": GRANT, "assertion": assertion, **form}
    found = credentials.exchange(urlencode(whole).encode(), NOW, "https://own/token")
    return found.status, msgspec.json.decode(found.body)


@pytest.mark.parametrize("audience", [TOKEN_AUDIENCE, "https://own/token"])
def test_a_signature_is_exchanged_for_an_access_token(audience: str) -> None:
    project, credentials = fresh()
    status, answer = exchange(credentials, signed(aud=audience, sub=None))
    assert (status, answer["token_type"], answer["expires_in"]) == (200, "Bearer", 3599)
    header = f"Bearer {answer['access_token']}".encode()
    assert reason(credentials.bearer(header, NOW + 3599)) == EMAIL
    assert reason(credentials.bearer(header, NOW + 3600)) == "ACCESS_TOKEN_EXPIRED"
    project.revoke_key(ISSUED.account.key_id)
    assert reason(credentials.bearer(header, NOW)) == "ACCESS_TOKEN_TYPE_UNSUPPORTED"
    assert credentials.exchanges == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, "invalid_grant"),  # no audience
        ({"aud": "https://example.com"}, "invalid_grant"),
        ({"aud": TOKEN_AUDIENCE, "iat": NOW - 7200, "exp": NOW - 3600}, "invalid_grant"),
        ({"aud": TOKEN_AUDIENCE, "iat": NOW + 301}, "invalid_grant"),
        ({"aud": TOKEN_AUDIENCE, "exp": NOW + 3601}, "invalid_grant"),
        ({"aud": TOKEN_AUDIENCE, "scope": "email"}, "invalid_scope"),
        ({"aud": TOKEN_AUDIENCE, "key": OTHER.fields["private_key"]}, "invalid_grant"),
    ],
)
def test_an_exchange_can_be_refused(changes: dict[str, Any], error: str) -> None:
    _, credentials = fresh()
    status, answer = exchange(credentials, signed(**changes))
    assert (status, answer["error"]) == (400, error)
    assert credentials.exchanges == 0


def test_another_grant_or_no_form_is_refused() -> None:
    _, credentials = fresh()
    assert exchange(credentials, "x", grant_type="password")[1]["error"] == "unsupported_grant_type"
    for junk in (b"", b"\xff", b"&&&", b"grant_type"):
        assert credentials.exchange(junk, NOW, "x").reason == "unsupported_grant_type"

"""Web Push services' answers: every row of the table, and whose fault a refusal is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain.outcome import About, Kind, Outcome
from booper.domain.secret import Secret
from booper.providers import webpush_answers
from booper.providers.provider import AccessToken
from booper.providers.webpush_answers import ERRNOS, REASONS, STALE
from booper.providers.webpush_proof import KEPT, Proof
from booper.wire import Lost, Reply


def answered(status: int, body: bytes = b"", **headers: str) -> Outcome:
    head = tuple((name.replace("_", "-").encode(), v.encode()) for name, v in headers.items())
    return webpush_answers.read(Reply(status, head, body))


@pytest.mark.parametrize("status", [200, 201, 202])
def test_taken(status: int) -> None:
    outcome = answered(status, location="https://push.example.net/m/1")
    assert outcome == Outcome(Kind.ACCEPTED, status, provider_id="https://push.example.net/m/1")
    assert answered(status).provider_id == ""
    assert len(answered(status, location="x" * 5000).provider_id) == 200


@pytest.mark.parametrize(
    ("status", "kind", "after"),
    [
        (204, Kind.RETRY, 900.0),  # not what RFC 8030 promises: perhaps somebody in between
        (301, Kind.RETRY, 900.0),
        (302, Kind.RETRY, 900.0),
        (307, Kind.RETRY, 900.0),
        (308, Kind.RETRY, 900.0),
        (400, Kind.REFUSED, 60.0),
        (401, Kind.REFUSED, 60.0),
        (402, Kind.FAILED, 0.0),
        (403, Kind.REFUSED, 60.0),
        (404, Kind.GONE, 0.0),
        (405, Kind.FAILED, 0.0),
        (410, Kind.GONE, 0.0),
        (413, Kind.FAILED, 0.0),
        (429, Kind.RETRY, 60.0),
        (500, Kind.RETRY, 10.0),
        (502, Kind.RETRY, 10.0),
        (503, Kind.RETRY, 10.0),
        (507, Kind.RETRY, 10.0),
        (599, Kind.RETRY, 10.0),
    ],
)
def test_statuses(status: int, kind: Kind, after: float) -> None:
    outcome = answered(status, b"junk", location="http://169.254.169.254/")
    assert (outcome.kind, outcome.status, outcome.after) == (kind, status, after)
    assert outcome.reason == f"HTTP {status}"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_retry_after_is_minded(status: int) -> None:
    assert answered(status, retry_after="120").after == 120.0
    assert answered(status, retry_after="999999999").after == 3600.0
    now, later = "Sat, 21 Nov 2026 10:00:00 GMT", "Sat, 21 Nov 2026 10:05:00 GMT"
    assert answered(status, date=now, retry_after=later).after == 300.0
    assert answered(status, retry_after="nan").after == answered(status).after


def test_a_service_that_says_how_long_speaks_of_itself_and_not_of_the_device() -> None:
    assert answered(429, retry_after="120").about is About.ORIGIN
    for vague in ("0", "nan", "-3"):
        assert answered(429, retry_after=vague).about is About.USUAL
    assert answered(503, retry_after="120").about is About.USUAL


@pytest.mark.parametrize(("errno", "meaning"), ERRNOS.items())
def test_mozillas_words(errno: int, meaning: tuple[Kind, str]) -> None:
    body = {"code": 401, "errno": errno, "error": "Unauthorized", "message": "…", "more_info": ""}
    outcome = answered(401, json.dumps(body).encode())
    assert (outcome.kind, outcome.reason) == meaning


@pytest.mark.parametrize(("reason", "meaning"), REASONS.items())
def test_apples_words(reason: str, meaning: tuple[Kind, str]) -> None:
    outcome = answered(403, json.dumps({"reason": reason}).encode())
    assert (outcome.kind, outcome.reason) == meaning


@pytest.mark.parametrize(
    "body",
    [
        b"the VAPID credentials do not correspond to the credentials used to subscribe",
        b"<HTML><TITLE>UnauthorizedRegistration</TITLE></HTML>",
        b'{"code":401,"errno":109,"message":"VAPID public key mismatch"}',
        b'{"reason":"VapidPkHashMismatch"}',
    ],
)
def test_a_subscription_made_with_another_key_is_recognised(body: bytes) -> None:
    assert answered(403, body).reason == STALE


@given(st.integers(200, 599), st.binary(max_size=60))
def test_a_foreign_body_is_never_repeated(status: int, body: bytes) -> None:
    reason = answered(status, body).reason
    known = {words for _, words in [*ERRNOS.values(), *REASONS.values()]}
    assert reason in {"", f"HTTP {status}", *known}


@pytest.mark.parametrize("body", [b'{"errno":"109"}', b"[]", b"\xff", b"[" * 5000, b'{"reason":5}'])
def test_broken_bodies_are_judged_by_the_status(body: bytes) -> None:
    assert answered(401, body) == Outcome(
        Kind.REFUSED, 401, "HTTP 401", after=60.0, about=About.STRANGER
    )


def test_no_answer() -> None:
    assert webpush_answers.read(Lost(sent=True, reason="deadline")) == Outcome(
        Kind.RETRY, 0, "deadline", maybe_sent=True
    )
    forbidden = webpush_answers.read(Lost(sent=False, reason="guarded", detail="not public"))
    assert forbidden.kind is Kind.FAILED


# Whose fault a refusal is.

TAKEN = Outcome(Kind.ACCEPTED, 201)
REFUSED = Outcome(Kind.REFUSED, 403, "HTTP 403", after=60.0)
A, B = "https://a.example", "https://b.example"


def access(minted_at: float) -> AccessToken:
    return AccessToken(Secret(""), minted_at, minted_at + 100)


def test_a_known_service_speaks_against_an_unproved_key_and_a_stranger_does_not() -> None:
    proof = Proof()
    for signed in (1, 1, 2):
        assert proof.judge(A, access(signed), REFUSED, known=True) == REFUSED
        later = Outcome(Kind.RETRY, 403, "HTTP 403", after=900.0)
        assert proof.judge(B, access(signed), REFUSED, known=False) == later


@pytest.mark.parametrize("known", [True, False])
def test_nobody_speaks_against_a_proved_key(*, known: bool) -> None:
    proof = Proof()
    proof.judge(A, access(1), TAKEN, known=False)
    for signed in (1, 2, 3):
        assert proof.judge(B, access(signed), REFUSED, known=known).kind is Kind.RETRY


def test_a_service_that_took_the_token_means_the_device() -> None:
    proof = Proof()
    proof.judge(A, access(1), TAKEN, known=True)
    failed = Outcome(Kind.FAILED, 403, "HTTP 403")
    assert proof.judge(A, access(1), REFUSED, known=True) == failed
    assert proof.judge(A, access(2), REFUSED, known=True).kind is Kind.RETRY  # another token
    proof.judge(A, access(2), TAKEN, known=True)
    assert proof.judge(A, access(2), REFUSED, known=True) == failed


def test_a_stale_subscription_is_known_as_soon_as_the_key_is_proved() -> None:
    stale = Outcome(Kind.REFUSED, 403, STALE, after=60.0)
    proof = Proof()
    assert proof.judge(A, access(1), stale, known=True) == stale  # the key may be the wrong one
    proof.judge(B, access(1), TAKEN, known=True)
    assert proof.judge(A, access(1), stale, known=True) == Outcome(Kind.FAILED, 403, STALE)


def test_other_outcomes_pass_as_they_are() -> None:
    proof = Proof()
    proof.judge(A, access(1), TAKEN, known=True)
    for kind in set(Kind) - {Kind.REFUSED}:
        outcome = Outcome(kind, 500, "x", after=3.0)
        assert proof.judge(A, access(1), outcome, known=False) is outcome


def test_what_is_remembered_is_bounded() -> None:
    proof = Proof()
    for number in range(KEPT * 2):
        proof.judge(f"https://{number}.example", access(1), TAKEN, known=True)
    assert len(proof._took) == KEPT
    newest = f"https://{KEPT * 2 - 1}.example"
    assert proof.judge(newest, access(1), REFUSED, known=True).kind is Kind.FAILED
    assert proof.judge("https://0.example", access(1), REFUSED, known=True).kind is Kind.RETRY

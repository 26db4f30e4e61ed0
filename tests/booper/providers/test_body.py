"""A provider's words end in rows: none of them may hold what a row cannot."""

from __future__ import annotations

import pytest

from booper.domain.outcome import Kind, Outcome
from booper.providers import apns_answers, expo_answers, fcm_answers
from booper.wire import Reply

NUL = b"\\u0000"


def expo(status: int, body: bytes) -> Outcome:
    found = expo_answers.read(["t"], Reply(status, (), body % NUL))
    assert isinstance(found, list)
    return found[0]


@pytest.mark.parametrize(
    "outcome",
    [
        apns_answers.read(Reply(400, (), b'{"reason":"a%b"}' % NUL)),
        fcm_answers.read(Reply(200, (), b'{"name":"a%b"}' % NUL)),
        fcm_answers.read(Reply(400, (), b'{"error":{"status":"a%b"}}' % NUL)),
        expo(400, b'{"errors":[{"code":"a%b"}]}'),
        expo(200, b'{"data":[{"status":"ok","id":"a%b"}]}'),
        expo(200, b'{"data":[{"status":"error","message":"a%b"}]}'),
    ],
)
def test_no_nul_gets_through(outcome: Outcome) -> None:
    assert "\0" not in outcome.reason + outcome.provider_id


def test_the_words_around_it_stay() -> None:
    told = fcm_answers.read(Reply(200, (), b'{"name":"a%b%bb%b"}' % (NUL, NUL, NUL)))
    assert told == Outcome(Kind.ACCEPTED, 200, provider_id="ab")


@pytest.mark.parametrize(("escaped", "text"), [(rb"\\u0000", r"\u0000"), (rb"\\\u0000x", "\\x")])
def test_a_backslash_is_not_taken_for_an_escape(escaped: bytes, text: str) -> None:
    told = fcm_answers.read(Reply(200, (), b'{"name":"%b"}' % escaped))
    assert told.provider_id == text

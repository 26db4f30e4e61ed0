"""What Expo's answers mean. The table is spelled out here, never read from the code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from booper.domain.outcome import Kind, Outcome
from booper.domain.receipt import MISSING, Heard, Missing, Unasked
from booper.providers import expo_answers, expo_receipts
from booper.providers.expo_answers import Split
from booper.wire import Lost, Reply

GONE, FAILED, REFUSED, RETRY = Kind.GONE, Kind.FAILED, Kind.REFUSED, Kind.RETRY
TOKENS = ["ExponentPushToken[a]", "ExponentPushToken[b]", "ExponentPushToken[c]"]
TICKETS = [
    ("DeviceNotRegistered", GONE, 0.0),
    ("MessageTooBig", FAILED, 0.0),
    ("MessageRateExceeded", RETRY, 60.0),
    ("InvalidCredentials", REFUSED, 60.0),
    ("MismatchSenderId", REFUSED, 60.0),
    ("DeveloperError", REFUSED, 60.0),
    ("ExpoError", RETRY, 10.0),
    ("ProviderError", RETRY, 10.0),
    ("SomethingNew", FAILED, 0.0),
]
REQUESTS = [
    (429, "TOO_MANY_REQUESTS", RETRY, 1.0, False),
    (429, "", RETRY, 1.0, False),
    (500, "INTERNAL_SERVER_ERROR", RETRY, 1.0, True),
    (502, "", RETRY, 1.0, True),
    (503, "", RETRY, 1.0, False),
    (504, "", RETRY, 1.0, True),
    (401, "UNAUTHORIZED", REFUSED, 60.0, False),
    (403, "", REFUSED, 60.0, False),
    (400, "VALIDATION_ERROR", FAILED, 0.0, False),
    (404, "", FAILED, 0.0, False),
    (302, "", RETRY, 60.0, False),
]


def reply(said: object, status: int = 200, **headers: str) -> Reply:
    fields = tuple((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items())
    return Reply(status, fields, json.dumps(said).encode())


def ok(own: str) -> dict[str, Any]:
    return {"status": "ok", "id": own}


def error(word: str | None, message: str = "no") -> dict[str, Any]:
    return {"status": "error", "message": message, "details": {"error": word} if word else None}


@pytest.mark.parametrize(("word", "kind", "after"), TICKETS)
def test_every_ticket(word: str, kind: Kind, after: float) -> None:
    data = [ok("t1"), error(word), ok("t3")]
    found = expo_answers.read(TOKENS, reply({"data": data}))
    assert found == [
        Outcome(Kind.ACCEPTED, 200, provider_id="t1"),
        Outcome(kind, 200, word, after=after),
        Outcome(Kind.ACCEPTED, 200, provider_id="t3"),
    ]


def test_the_table_here_is_the_whole_table() -> None:
    assert {word for word, *_ in TICKETS} - {"SomethingNew"} == expo_answers.TICKETS.keys()


@pytest.mark.parametrize(("status", "code", "kind", "after", "maybe"), REQUESTS)
def test_every_refused_request(
    status: int, code: str, kind: Kind, after: float, maybe: bool
) -> None:
    said = {"errors": [{"code": code, "message": "m"}]} if code else {}
    expected = Outcome(kind, status, code or f"HTTP {status}", after=after, maybe_sent=maybe)
    assert expo_answers.read(TOKENS, reply(said, status)) == [expected] * 3
    junk = expo_answers.read(TOKENS, Reply(status, (), b"<html>"))
    assert isinstance(junk, list)
    assert {outcome.kind for outcome in junk} == {kind}


@pytest.mark.parametrize(
    ("header", "seconds"), [("30", 30.0), ("99999", 3600.0), ("-1", 1.0), ("nan", 1.0)]
)
def test_retry_after_is_honoured_and_clamped(header: str, seconds: float) -> None:
    found = expo_answers.read(TOKENS, reply({}, 429, retry_after=header))
    assert isinstance(found, list)
    assert [outcome.after for outcome in found] == [seconds] * 3


@pytest.mark.parametrize(
    "said",
    [
        {"data": [ok("1"), ok("2")]},
        {"data": [ok("1"), ok("2"), ok("3"), ok("4")]},
        {"data": ok("1")},
        {"data": None},
        {},
        {"data": [ok("1"), None, ok("3")]},
        {"data": [ok("1"), {"status": 7}, ok("3")]},
        {"data": [ok("1"), ok("2"), ok("3")], "errors": [{"code": "API_ERROR"}]},
        {"errors": [{"message": "odd"}]},
        [],
        "ok",
    ],
)
def test_tickets_that_do_not_add_up_may_have_been_sent(said: object) -> None:
    found = expo_answers.read(TOKENS, reply(said))
    assert isinstance(found, list)
    assert [(o.kind, o.maybe_sent) for o in found] == [(RETRY, True)] * 3
    assert all(o.after == 60.0 and o.reason for o in found)


def test_one_recipient_may_get_its_ticket_without_a_list() -> None:
    found = expo_answers.read(TOKENS[:1], reply({"data": ok("1")}))
    assert found == [Outcome(Kind.ACCEPTED, 200, provider_id="1")]


def test_an_error_without_a_word_keeps_its_message() -> None:
    found = expo_answers.read(TOKENS[:1], reply({"data": [error(None, "x" * 500)]}))
    assert found == [Outcome(FAILED, 200, "x" * 100)]


def test_a_request_too_large_is_halved() -> None:
    assert expo_answers.read(TOKENS, Reply(413, (), b"")) == Split(((0,), (1, 2)))
    assert expo_answers.read(TOKENS[:1], Reply(413, (), b"")) == [Outcome(FAILED, 413, "HTTP 413")]


@pytest.mark.parametrize("sent", [True, False])
def test_no_answer(sent: bool) -> None:
    found = expo_answers.read(TOKENS, Lost(sent, "reset", "peer"))
    assert found == [Outcome(RETRY, 0, "reset: peer", maybe_sent=sent)] * 3


@given(st.integers(200, 599), st.binary(max_size=200))
@example(200, b'{"data":' + b"[" * 20_000)
@example(200, b'{"data":[{"details":' + b'{"a":' * 20_000)
@example(400, b'{"errors":[{"code":"PUSH_TOO_MANY_EXPERIENCE_IDS","details":{"a":[[]]}}]}')
@example(200, b'{"data":[{"status":"ok","id":"\\ud800"}]}')
def test_no_answer_breaks_it(status: int, body: bytes) -> None:
    answer = Reply(status, (), body)
    found = expo_answers.read(TOKENS, answer)
    if isinstance(found, Split):
        assert sorted(place for part in found.parts for place in part) == [0, 1, 2]
        assert all(len(part) < 3 for part in found.parts)
    else:
        assert len(found) == 3
    heard = expo_receipts.read(TOKENS, answer)
    assert heard is None or len(heard) == 3


IDS = ["r1", "r2", "r3"]


def heard(answer: Reply | Lost) -> list[Heard]:
    found = expo_receipts.read(IDS, answer)
    assert found is not None
    return found


@pytest.mark.parametrize(("word", "kind", "after"), TICKETS)
def test_every_receipt(word: str, kind: Kind, after: float) -> None:
    data = {"r1": {"status": "ok"}, "r3": error(word), "foreign": {"status": "ok"}}
    assert heard(reply({"data": data})) == [
        Outcome(Kind.DELIVERED, 200),
        MISSING,
        Outcome(kind, 200, word, after=after),
    ]


def test_no_receipt_at_all_is_no_error() -> None:
    assert heard(reply({"data": {}})) == [Missing()] * 3


@pytest.mark.parametrize(
    ("answer", "reason", "after"),
    [
        (reply({}, 503, retry_after="120"), "HTTP 503", 120.0),
        (reply({"errors": [{"code": "TOO_MANY_REQUESTS"}]}, 429), "TOO_MANY_REQUESTS", 1.0),
        (reply({"errors": [{"code": "UNAUTHORIZED"}]}, 401), "UNAUTHORIZED", 60.0),
        (reply({"errors": [{"code": "API_ERROR"}]}), "API_ERROR", 0.0),
        (reply({"data": []}), "unreadable answer", 0.0),
        (reply({"data": {"r1": 7}}), "unreadable answer", 0.0),
        (reply({}), "unreadable answer", 0.0),
        (Lost(sent=True, reason="deadline"), "deadline", 0.0),
        (Lost(sent=False, reason="connect_failed", detail="no"), "connect_failed: no", 0.0),
    ],
)
def test_a_question_that_failed(answer: Reply | Lost, reason: str, after: float) -> None:
    assert heard(answer) == [Unasked(reason, after)] * 3


def test_too_many_questions_at_once_are_halved() -> None:
    too_many = reply({"errors": [{"code": "PUSH_TOO_MANY_RECEIPTS"}]}, 400)
    assert expo_receipts.read(IDS, too_many) is None
    assert expo_receipts.read(IDS[:1], too_many) == [Unasked("PUSH_TOO_MANY_RECEIPTS")]

"""What APNs' answers mean. The table is spelled out here, never read from the code."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from booper.domain.outcome import Kind, Outcome
from booper.providers import apns_answers
from booper.simulators.apns import REASONS as APPLE
from booper.wire import Lost, Reply

QUARTER = 900.0
GONE, FAILED, REFUSED, RETRY = Kind.GONE, Kind.FAILED, Kind.REFUSED, Kind.RETRY
TABLE = [
    (400, "BadDeviceToken", GONE, 0.0),
    (400, "DeviceTokenNotForTopic", GONE, 0.0),
    (400, "TopicDisallowed", GONE, 0.0),
    (400, "BadCollapseId", FAILED, 0.0),
    (400, "BadExpirationDate", FAILED, 0.0),
    (400, "BadMessageId", FAILED, 0.0),
    (400, "BadPriority", FAILED, 0.0),
    (400, "BadTopic", FAILED, 0.0),
    (400, "InvalidPushType", FAILED, 0.0),
    (400, "MissingTopic", FAILED, 0.0),
    (400, "PayloadEmpty", FAILED, 0.0),
    (400, "DuplicateHeaders", FAILED, 0.0),
    (400, "MissingDeviceToken", FAILED, 0.0),
    (400, "IdleTimeout", RETRY, 0.0),
    (404, "BadPath", FAILED, 0.0),
    (405, "MethodNotAllowed", FAILED, 0.0),
    (413, "PayloadTooLarge", FAILED, 0.0),
    (403, "ExpiredProviderToken", REFUSED, 60.0),
    (403, "InvalidProviderToken", REFUSED, 60.0),
    (403, "MissingProviderToken", REFUSED, 60.0),
    (403, "UnrelatedKeyIdInToken", REFUSED, 60.0),
    (403, "BadEnvironmentKeyIdInToken", REFUSED, 60.0),
    (403, "BadCertificate", REFUSED, 60.0),
    (403, "BadCertificateEnvironment", REFUSED, 60.0),
    (403, "Forbidden", REFUSED, 60.0),
    (429, "TooManyProviderTokenUpdates", REFUSED, 1200.0),
    (429, "TooManyRequests", RETRY, 60.0),
    (410, "Unregistered", GONE, 0.0),
    (410, "ExpiredToken", GONE, 0.0),
    (500, "InternalServerError", RETRY, QUARTER),
    (503, "ServiceUnavailable", RETRY, QUARTER),
    (503, "Shutdown", RETRY, 0.0),
]
KNOWN = {reason for _, reason, _, _ in TABLE}


def answer(status: int, body: bytes, **headers: str) -> Outcome:
    fields = tuple((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items())
    return apns_answers.read(Reply(status, fields, body))


@pytest.mark.parametrize(("status", "reason", "kind", "after"), TABLE)
def test_every_reason_of_apple_s_table(status: int, reason: str, kind: Kind, after: float) -> None:
    found = answer(status, f'{{"reason":"{reason}"}}'.encode())
    assert found == Outcome(kind, status, reason, after=after)


def test_the_table_and_the_simulator_know_the_same_reasons() -> None:
    assert set(apns_answers.REASONS) == KNOWN
    assert set(APPLE) <= KNOWN


def test_an_accepted_push() -> None:
    assert answer(200, b"") == Outcome(Kind.ACCEPTED, 200)
    assert answer(200, b'{"reason":"Unregistered"}').kind is Kind.ACCEPTED


def test_the_time_of_a_410_is_in_milliseconds() -> None:
    found = answer(410, b'{"reason":"Unregistered","timestamp":1800000000123}')
    assert found.since == pytest.approx(1_800_000_000.123)
    assert answer(400, b'{"reason":"BadDeviceToken"}').since is None


@pytest.mark.parametrize(
    ("status", "kind", "after"),
    [
        (400, FAILED, 0.0),
        (401, REFUSED, 60.0),
        (403, REFUSED, 60.0),
        (404, FAILED, 0.0),
        (410, FAILED, 0.0),
        (429, RETRY, 60.0),
        (301, RETRY, QUARTER),
        (500, RETRY, QUARTER),
        (503, RETRY, QUARTER),
        (599, RETRY, QUARTER),
    ],
)
@pytest.mark.parametrize("body", [b"", b"junk", b'{"reason":"New"}', b'{"reason":5}', b"[]"])
def test_an_unknown_reason_is_judged_by_its_status_and_drops_nobody(
    status: int, kind: Kind, after: float, body: bytes
) -> None:
    found = answer(status, body)
    assert (found.kind, found.after, found.status) == (kind, after, status)
    assert found.reason == ("New" if b"New" in body else f"HTTP {status}")


JUNK = st.binary(max_size=200) | st.from_regex(rb'\{"reason":"\w{0,20}"(,"timestamp":-?\d*)?\}')


@given(st.integers(100, 999), JUNK)
@example(410, b'{"x":' + b"[" * 60_000)
@example(410, b'{"reason":"\xff"}')
@example(410, b'{"reason":"Unregistered","timestamp":' + b"9" * 400 + b"}")
@example(410, b'{"reason":"Unregistered","timestamp":-1}')
@example(410, b'{"reason":"Unregistered","timestamp":NaN}')
@example(400, b'{"reason":"baddevicetoken"}')
@example(400, b'{"reason":"BadDeviceToken\\u0000"}')
def test_junk_neither_crashes_nor_drops_a_device(status: int, body: bytes) -> None:
    found = answer(status, body)
    assert len(found.reason) <= 100
    if found.kind is GONE:
        assert found.reason in KNOWN, "an unknown reason dropped a device"


@given(st.integers(201, 999), st.text(max_size=300))
def test_no_unknown_reason_ever_drops_a_device(status: int, reason: str) -> None:

    if reason not in KNOWN:
        assert answer(status, json.dumps({"reason": reason}).encode()).kind is not GONE


@pytest.mark.parametrize(
    ("value", "after"),
    [("5", 5.0), ("0", 0.0), ("99999999999999", 3600.0), ("-5", QUARTER), ("nan", QUARTER),
     ("", QUARTER), ("1e9", QUARTER), ("5 minutes", QUARTER)],
)  # fmt: skip
def test_retry_after_is_honoured_where_it_makes_sense(value: str, after: float) -> None:
    found = answer(503, b'{"reason":"ServiceUnavailable"}', retry_after=value)
    assert found.after == after


def test_retry_after_changes_nothing_for_what_is_final_or_refused() -> None:
    assert answer(400, b'{"reason":"BadTopic"}', retry_after="9").after == 0.0
    refused = answer(429, b'{"reason":"TooManyProviderTokenUpdates"}', retry_after="1")
    assert refused.after == 1200.0


def test_a_lost_answer_is_tried_again_and_doubted_if_it_was_sent() -> None:
    lost = apns_answers.read(Lost(sent=True, reason="reset", detail="by peer"))
    assert lost == Outcome(RETRY, 0, "reset: by peer", maybe_sent=True)
    lost = apns_answers.read(Lost(sent=False, reason="goaway"))
    assert lost == Outcome(RETRY, 0, "goaway", maybe_sent=False)

"""When a receipt is asked for, and what follows from what was heard."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain import retry
from booper.domain.outcome import Kind, Outcome
from booper.domain.receipt import HORIZON, MISSING, Heard, Ticket, Unasked, first_ask, judge

T = 1_800_000_000.0
HOUR = 3600.0
TICKET = Ticket(1, 2, "t", T, registered_at=T - 5, attempt=1, expires_at=T + 24 * HOUR)


def due(heard: Heard, age: float, dice: float = 0.0) -> float | None:
    """How long after acceptance it is asked again."""
    verdict = judge([TICKET], [heard], now=T + age, dice=dice)
    return verdict.later[0][1] - T if verdict.later else None


def test_asked_after_a_quarter_of_an_hour_then_ever_later_for_a_day() -> None:
    asks = [first_ask(T) - T]
    while (age := due(MISSING, asks[-1])) is not None:
        asks.append(age)
    assert asks == [900, 1800, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, 23.5 * HOUR]
    (late,) = judge([TICKET], [MISSING], now=T + asks[-1], dice=0.0).final
    assert late.outcome == Outcome(Kind.UNKNOWN, 0, "no receipt within a day")


def test_a_late_question_leaves_out_what_is_past() -> None:
    assert due(MISSING, 5 * HOUR) == 8 * HOUR
    assert due(MISSING, 30 * HOUR) is None


@given(st.floats(0, 1), st.floats(0, 1e6))
def test_a_failing_provider_is_asked_ever_more_slowly_and_not_for_ever(
    dice: float, after: float
) -> None:
    age, asks = 900.0, 0
    while (again := due(Unasked("HTTP 503", after), age, dice)) is not None:
        assert age + 60 <= again <= age + 4000 or again == HORIZON
        age, asks = again, asks + 1
    assert age == HORIZON
    assert asks <= 50


def test_what_it_said_last_is_kept_when_the_day_is_over() -> None:
    (late,) = judge([TICKET], [Unasked("HTTP 503")], now=T + HORIZON, dice=0.0).final
    assert late.outcome == Outcome(Kind.UNKNOWN, 0, "HTTP 503")


def test_a_receipt_is_final() -> None:
    verdict = judge([TICKET], [Outcome(Kind.DELIVERED, 200)], now=T + 900, dice=0.0)
    assert verdict.later == ()
    assert [late.outcome.kind for late in verdict.final] == [Kind.DELIVERED]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Kind.FAILED, Kind.FAILED),
        (Kind.REFUSED, Kind.FAILED),
        (Kind.GONE, Kind.GONE),
    ],
)
def test_an_error_keeps_the_providers_words(said: Kind, kind: Kind) -> None:
    heard = Outcome(said, 200, "Words", after=60.0)
    (late,) = judge([TICKET], [heard], now=T + 900, dice=0.0).final
    assert (late.outcome.kind, late.outcome.reason) == (kind, "Words")
    assert late.gone is (said is Kind.GONE)


RATE = Outcome(Kind.RETRY, 200, "MessageRateExceeded", after=60.0)


@given(st.floats(0, 1), st.integers(1, retry.BUDGET - 1), st.floats(900, 20 * HOUR))
def test_what_allows_another_try_is_sent_again_after_its_pause(
    dice: float, attempt: int, age: float
) -> None:
    ticket = msgspec.structs.replace(TICKET, attempt=attempt)
    verdict = judge([ticket], [RATE], now=T + age, dice=dice)
    assert verdict.final == ()
    assert verdict.later == ()
    (resend,) = verdict.again
    assert resend.due_at == T + age + retry.delay(attempt, 60.0, dice) >= T + age + 60
    assert resend.failed.outcome == Outcome(Kind.FAILED, 200, "MessageRateExceeded")


@pytest.mark.parametrize(
    ("attempt", "age"),
    [(retry.BUDGET, 900.0), (retry.BUDGET + 1, 900.0), (1, 24 * HOUR - 59), (1, 30 * HOUR)],
)
def test_not_beyond_its_time_nor_its_tries(attempt: int, age: float) -> None:
    ticket = msgspec.structs.replace(TICKET, attempt=attempt)
    verdict = judge([ticket], [RATE], now=T + age, dice=0.0)
    assert verdict.again == ()
    assert [late.outcome for late in verdict.final] == [
        Outcome(Kind.EXPIRED, 0, "MessageRateExceeded")
    ]


def test_at_the_last_moment_it_is_still_tried() -> None:
    (resend,) = judge([TICKET], [RATE], now=TICKET.expires_at - 60, dice=0.0).again
    assert resend.due_at == TICKET.expires_at


def test_a_device_registered_anew_since_is_kept() -> None:
    anew = Ticket(1, 2, "t", T, registered_at=T + 1)
    (late,) = judge([anew], [Outcome(Kind.GONE, 200, "x")], now=T + 900, dice=0.0).final
    assert late.outcome.kind is Kind.FAILED
    assert not late.gone


def test_each_ticket_gets_its_own_word() -> None:
    tickets = [Ticket(1, device, str(device), T) for device in range(3)]
    heard: list[Heard] = [Outcome(Kind.DELIVERED, 200), MISSING, Outcome(Kind.GONE, 200)]
    verdict = judge(tickets, heard, now=T + 900, dice=0.0)
    assert [late.ticket.device for late in verdict.final] == [0, 2]
    assert [ticket.device for ticket, _ in verdict.later] == [1]
    with pytest.raises(ValueError, match="zip"):
        judge(tickets, heard[:2], now=T, dice=0.0)

"""The breaker: when it opens, that one probe goes out, and what does not count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from booper.domain.breaker import (
    FAILURES,
    LONGEST,
    PAUSE,
    REFUSED_PAUSE,
    Breaker,
    State,
    Ticket,
    Verdict,
    judge,
)
from booper.domain.outcome import ACCEPTED, Kind, Outcome

BUSY = Outcome(Kind.RETRY, 503, "busy")
AWAY = Outcome(Kind.RETRY, 0, "connect_failed: refused")
BAD_KEY = Outcome(Kind.REFUSED, 403, "InvalidProviderToken", after=60.0)


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([ACCEPTED, ACCEPTED], Verdict.WORKED),
        ([BUSY, AWAY, ACCEPTED], Verdict.WORKED),
        ([BUSY, AWAY], Verdict.FAILED),
        ([AWAY, Outcome(Kind.GONE, 410, "Unregistered")], Verdict.WORKED),
        ([Outcome(Kind.FAILED, 400, "BadTopic")], Verdict.WORKED),
        ([Outcome(Kind.RETRY, 429, "slow down")], Verdict.WORKED),
        ([Outcome(Kind.FAILED, 413, "too large", local=True)], Verdict.NOTHING),
        ([BUSY, Outcome(Kind.FAILED, 413, "too large", local=True)], Verdict.FAILED),
        ([BAD_KEY, BUSY], Verdict.REFUSED),
        ([BUSY, BAD_KEY, Outcome(Kind.FAILED, 400, "BadTopic")], Verdict.REFUSED),
        ([BAD_KEY, ACCEPTED], Verdict.WORKED),
        ([Outcome(Kind.EXPIRED), Outcome(Kind.HELD)], Verdict.NOTHING),
        ([Outcome(Kind.RETRY, 0, "closed: the pool is closed")], Verdict.NOTHING),
        ([Outcome(Kind.RETRY, 0, "closed: [Errno 104] Connection reset by peer")], Verdict.FAILED),
        ([], Verdict.NOTHING),
    ],
)
def test_what_a_batch_says_about_its_provider(outcomes: list[Outcome], verdict: Verdict) -> None:
    assert judge(outcomes) is verdict


def state(breaker: Breaker) -> State:
    """As it is now: mypy would remember what it was."""
    return breaker.state


def fail(breaker: Breaker, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        ticket = breaker.admit(now)
        assert ticket is not None
        breaker.record(ticket, Verdict.FAILED, now=now, dice=0.0)


def test_failures_in_a_row_open_it_and_one_success_between_them_does_not() -> None:
    breaker = Breaker()
    fail(breaker, FAILURES - 1)
    ticket = breaker.admit(0.0)
    assert ticket is not None
    breaker.record(ticket, Verdict.WORKED, now=0.0, dice=0.0)
    fail(breaker, FAILURES - 1)
    assert state(breaker) is State.CLOSED
    fail(breaker, 1)
    assert state(breaker) is State.OPEN
    assert breaker.admit(PAUSE - 0.1) is None
    assert breaker.wait(10.0) == pytest.approx(PAUSE - 10.0)


def test_after_the_pause_one_probe_goes_and_no_second() -> None:
    breaker = Breaker()
    fail(breaker, FAILURES)
    probe = breaker.admit(PAUSE)
    assert probe is not None
    assert probe.probe
    assert [breaker.admit(PAUSE + n) for n in range(1000)] == [None] * 1000
    breaker.record(probe, Verdict.FAILED, now=PAUSE + 20, dice=0.0)
    assert state(breaker) is State.OPEN
    assert breaker.admit(2 * PAUSE + 19.9) is None
    probe = breaker.admit(2 * PAUSE + 20)
    assert probe is not None
    breaker.record(probe, Verdict.WORKED, now=2 * PAUSE + 21, dice=0.0)
    assert state(breaker) is State.CLOSED
    after = breaker.admit(2 * PAUSE + 21)
    assert after is not None
    assert not after.probe


def test_a_result_from_before_it_opened_changes_nothing() -> None:
    breaker = Breaker()
    late, later = breaker.admit(0.0), breaker.admit(0.0)
    assert late is not None
    assert later is not None
    fail(breaker, FAILURES)
    breaker.record(late, Verdict.WORKED, now=1.0, dice=0.0)
    assert state(breaker) is State.OPEN
    assert breaker.admit(PAUSE) is not None
    breaker.record(later, Verdict.WORKED, now=PAUSE, dice=0.0)
    assert state(breaker) is State.PROBING, "only the probe decides"


def test_a_probe_that_asked_nobody_leaves_room_for_another_at_once() -> None:
    breaker = Breaker()
    fail(breaker, FAILURES)
    probe = breaker.admit(PAUSE)
    assert probe is not None
    breaker.record(probe, Verdict.NOTHING, now=PAUSE, dice=0.0)
    assert state(breaker) is State.OPEN
    again = breaker.admit(PAUSE)
    assert again is not None
    assert again.probe


def test_a_refused_credential_pauses_at_once_and_ever_longer_until_one_is_taken() -> None:
    breaker, now, pauses = Breaker(), 0.0, []
    for _ in range(9):
        ticket = breaker.admit(now)
        assert ticket is not None
        breaker.record(ticket, Verdict.REFUSED, now=now, dice=0.0)
        pauses.append(breaker.wait(now))
        now += pauses[-1]
    assert pauses[:3] == [REFUSED_PAUSE, 2 * REFUSED_PAUSE, 4 * REFUSED_PAUSE]
    assert pauses[-1] == LONGEST
    probe = breaker.admit(now)
    assert probe is not None
    breaker.record(probe, Verdict.WORKED, now=now, dice=0.0)
    ticket = breaker.admit(now)
    assert ticket is not None
    breaker.record(ticket, Verdict.REFUSED, now=now, dice=0.0, after=1200.0)
    assert breaker.wait(now) == 1200.0, "as long as the provider asks for"


def test_another_credential_begins_anew() -> None:
    breaker = Breaker()
    old = breaker.admit(0.0)
    assert old is not None
    breaker.record(old, Verdict.REFUSED, now=0.0, dice=0.0)
    breaker.reset()
    ticket = breaker.admit(0.0)
    assert ticket is not None
    assert not ticket.probe
    breaker.record(old, Verdict.REFUSED, now=0.0, dice=0.0)
    assert state(breaker) is State.CLOSED


@given(st.floats(0, 1, exclude_max=True))
def test_probes_are_spread_but_never_early(dice: float) -> None:
    breaker = Breaker()
    for _ in range(FAILURES):
        ticket = breaker.admit(0.0)
        assert ticket is not None
        breaker.record(ticket, Verdict.FAILED, now=0.0, dice=dice)
    assert PAUSE <= breaker.wait(0.0) <= PAUSE * 1.1


class Life(RuleBasedStateMachine):
    """Any order of tries, results and waiting, beside a plain model of what is allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 0.0
        self.out: list[Ticket] = []
        self.opened_at: float | None = None
        self.probes = 0  # under way

    @rule(seconds=st.sampled_from([0.0, 0.5, 29.0, 31.0, 70.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def ask(self) -> None:
        was = state(self.breaker)
        ticket = self.breaker.admit(self.now)
        if ticket is None:
            assert was is not State.CLOSED
            assert self.breaker.wait(self.now) > 0
            return
        if ticket.probe:
            assert self.probes == 0, "two probes at once"
            assert self.opened_at is not None
            assert self.now >= self.opened_at + PAUSE
            self.probes = 1
        else:
            assert was is State.CLOSED
        self.out.append(ticket)

    @precondition(lambda self: self.out)
    @rule(verdict=st.sampled_from(Verdict), data=st.data())
    def answer(self, verdict: Verdict, data: st.DataObject) -> None:
        ticket = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        was = state(self.breaker)
        self.breaker.record(ticket, verdict, now=self.now, dice=0.0)
        now_is = state(self.breaker)
        if ticket.probe:
            self.probes = 0
            assert now_is is (State.CLOSED if verdict is Verdict.WORKED else State.OPEN)
        elif was is not State.CLOSED:
            assert now_is is was, "only the probe decides"
        elif verdict is Verdict.WORKED:
            assert now_is is State.CLOSED
        if now_is is State.OPEN and (was is State.CLOSED or verdict is not Verdict.NOTHING):
            if was is not State.OPEN:
                self.opened_at = self.now
            assert not (was is State.CLOSED and verdict in (Verdict.WORKED, Verdict.NOTHING))

    @invariant()
    def it_waits_only_when_it_does_not_admit(self) -> None:
        assert (self.breaker.wait(self.now) == 0.0) == (
            self.breaker.state is State.CLOSED
            or (self.breaker.state is State.OPEN and self.breaker._until <= self.now)
        )


TestLife = Life.TestCase

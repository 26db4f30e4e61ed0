"""GCRA: the burst, then the rate, and never more; what a refused caller is told is true."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain.limit import Limit, Verdict, take, worst


def test_a_burst_then_the_rate() -> None:
    limit, paid, allowed = Limit("k", 10.0, 5), 0.0, []
    for tenth_of_rate in range(200):  # 20 a second for 10 seconds
        paid, verdict = take(limit, paid, 1000.0 + tenth_of_rate / 20)
        allowed.append(verdict.allowed)
    assert allowed[:5] == [True] * 5
    assert sum(allowed) in (104, 105), "5 at once and 10 a second for 9.95 s"


def test_what_remains_is_what_still_passes() -> None:
    limit, paid = Limit("k", 2.0, 4), 0.0
    for left in (3, 2, 1, 0):
        paid, verdict = take(limit, paid, 50.0)
        assert (verdict.allowed, verdict.remaining, verdict.retry_after) == (True, left, 0.0)
    paid, verdict = take(limit, paid, 50.0)
    assert verdict == Verdict(allowed=False, burst=4, remaining=0, retry_after=0.5, reset_after=2.0)


def test_more_at_once_than_the_burst_never_passes() -> None:
    paid, verdict = take(Limit("k", 100.0, 3), 0.0, 10.0, cost=4)
    assert (paid, verdict.allowed, verdict.retry_after) == (0.0, False, math.inf)


@given(
    rate=st.floats(0.01, 1e4),
    burst=st.integers(1, 1000),
    steps=st.lists(st.tuples(st.floats(0, 100), st.integers(1, 5)), max_size=60),
)
def test_never_more_than_the_burst_and_the_rate_and_waiting_as_told_is_enough(
    rate: float, burst: int, steps: list[tuple[float, int]]
) -> None:
    limit, paid, now, passed = Limit("k", rate, burst), 0.0, 1e6, 0
    for pause, cost in steps:
        now += pause
        paid, verdict = take(limit, paid, now, cost)
        if not verdict.allowed and cost <= burst:
            now += verdict.retry_after
            paid, verdict = take(limit, paid, now, cost)
            assert verdict.allowed, "told to wait that long, and refused again"
        passed += cost if verdict.allowed else 0
    assert passed <= burst + rate * (now - 1e6) + 1e-3 * passed + 1e-6


def test_the_worst_of_several_is_told() -> None:
    def verdict(left: int, wait: float) -> Verdict:
        return Verdict(wait == 0, 10, left, wait, 0.0)

    assert worst([verdict(3, 0), verdict(1, 0)]).remaining == 1
    assert worst([verdict(0, 2), verdict(1, 0), verdict(0, 7)]).retry_after == 7
    with pytest.raises(ValueError):
        worst([])


def test_what_comes_by_a_hair_too_early_is_not_what_remains() -> None:
    limit = Limit("k", 10.0, 10)
    paid, _ = take(limit, 0.0, 100.0, 10)
    _, verdict = take(limit, paid, 100.1 - 1e-8)
    assert (verdict.allowed, verdict.remaining) == (False, 0)
    _, verdict = take(limit, paid, 100.3 - 1e-8, 3)
    assert (verdict.allowed, verdict.remaining) == (False, 2)

"""The pure decisions: who is restarted, in which order, how often, and after how long."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisors import (
    ONE_FOR_ALL,
    ONE_FOR_ONE,
    PERMANENT,
    REST_FOR_ONE,
    TEMPORARY,
    TRANSIENT,
    Backoff,
    How,
    Intensity,
    Restart,
    Strategy,
)
from supervisors.restart import Window, affected, wants_restart

TABLE = [
    # how, asked, permanent, transient, temporary
    (How.RETURNED, False, True, False, False),
    (How.RETURNED, True, False, False, False),
    (How.SHUTDOWN, False, True, False, False),
    (How.CRASHED, False, True, True, False),
    (How.CRASHED, True, False, False, False),
    (How.CANCELLED, False, True, True, False),
    (How.KILLED, False, True, True, False),
    (How.KILLED, True, False, False, False),
]


@pytest.mark.parametrize(("how", "asked", "permanent", "transient", "temporary"), TABLE)
def test_b06_b07_b08_who_wants_a_restart(
    how: How, asked: bool, permanent: bool, transient: bool, temporary: bool
) -> None:
    assert wants_restart(PERMANENT, how, asked=asked) is permanent
    assert wants_restart(TRANSIENT, how, asked=asked) is transient
    assert wants_restart(TEMPORARY, how, asked=asked) is temporary


@given(st.sampled_from(Restart), st.sampled_from(How))
def test_b23_what_was_asked_to_end_is_never_restarted(restart: Restart, how: How) -> None:
    assert not wants_restart(restart, how, asked=True)


ids = st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=8, unique=True)


@given(ids, st.data())
def test_b09_b10_b11_affected_children_keep_their_order(
    order: list[str], data: st.DataObject
) -> None:
    child = data.draw(st.sampled_from(order))
    assert affected(ONE_FOR_ONE, order, child) == (child,)
    assert list(affected(ONE_FOR_ALL, order, child)) == order
    rest = affected(REST_FOR_ONE, order, child)
    assert rest[0] == child
    assert [*order[: order.index(child)], *rest] == order


@given(st.sampled_from(Strategy), ids, st.data())
def test_b09_the_dead_one_is_always_affected_and_nobody_twice(
    strategy: Strategy, order: list[str], data: st.DataObject
) -> None:
    child = data.draw(st.sampled_from(order))
    hit = affected(strategy, order, child)
    assert child in hit
    assert len(set(hit)) == len(hit)


steps = st.lists(st.floats(0, 10), max_size=40)


@given(st.integers(0, 6), st.floats(0.5, 20), steps)
def test_b13_the_window_counts_what_lies_within_the_period(
    restarts: int, period: float, gaps: list[float]
) -> None:
    window = Window(Intensity(restarts, period))
    now, times = 1000.0, []
    for gap in gaps:
        now += gap
        times.append(now)
        recent = [time for time in times if time >= now - period]
        assert window.add(now) is (len(recent) > restarts)


@given(st.integers(1, 5), st.floats(0.5, 20), st.integers(1, 60))
def test_b14_slow_restarts_never_escalate(restarts: int, period: float, times: int) -> None:
    window = Window(Intensity(restarts, period))
    gap = period * 1.01 / restarts
    assert not any(window.add(index * gap) for index in range(times))


def test_b13_with_no_restarts_allowed_the_first_is_too_many() -> None:
    assert Window(Intensity(0, 5)).add(3.0)


def test_backoff_is_immediate_first_then_doubles_up_to_its_cap() -> None:
    backoff = Backoff(base=1, factor=2, cap=10)
    assert [backoff.delay(attempt) for attempt in range(1, 8)] == [0, 1, 2, 4, 8, 10, 10]
    assert Backoff(first=3, cap=2).delay(1) == 2


@given(
    st.floats(0, 100), st.floats(0, 100), st.floats(1, 10), st.floats(0, 1000),
    st.floats(0, 1), st.floats(0, 1, exclude_max=True), st.integers(1, 100_000),
)  # fmt: skip
def test_backoff_stays_within_its_bounds(
    first: float, base: float, factor: float, cap: float, jitter: float, die: float, attempt: int
) -> None:
    backoff = Backoff(first, base, factor, cap, jitter, dice=lambda: die)
    plain = Backoff(first, base, factor, cap)
    assert 0 <= backoff.delay(attempt) <= plain.delay(attempt) <= cap
    assert backoff.delay(attempt) >= plain.delay(attempt) * (1 - jitter) - 1e-9
    if attempt > 1:
        assert plain.delay(attempt) <= plain.delay(attempt + 1)


def test_backoff_with_a_huge_attempt_is_the_cap() -> None:
    assert Backoff(base=1, factor=10, cap=7).delay(10**6) == 7
    assert math.isfinite(Backoff(base=0, factor=10, cap=7).delay(10**6))

"""When to try again: bounds that hold for every attempt, wish and throw of the dice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain import retry

dice = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 10_000), st.floats(allow_nan=False), dice)
def test_the_wait_is_never_shorter_than_asked_and_else_never_longer_than_an_hour(
    attempt: int, after: float, thrown: float
) -> None:
    wait = retry.delay(attempt, after, thrown)
    asked = min(max(after, 0.0), retry.HORIZON)
    assert asked <= wait <= max(asked, retry.LONGEST) + retry.LONGEST / 10


@pytest.mark.parametrize(
    ("attempt", "after", "thrown", "seconds"),
    [
        (1, 0.0, 0.0, 0.0),
        (1, 0.0, 0.5, 0.5),
        (4, 0.0, 0.5, 4.0),
        (30, 0.0, 0.5, 1800.0),
        (1, 60.0, 0.0, 60.0),
        (1, 60.0, 0.5, 63.0),
        (1, -5.0, 0.5, 0.5),
        (1, 36_000.0, 0.5, 36_180.0),
        (1, 1e9, 0.0, 86_400.0),
    ],
)
def test_full_jitter_over_a_doubling_ceiling(
    attempt: int, after: float, thrown: float, seconds: float
) -> None:
    assert retry.delay(attempt, after, thrown) == pytest.approx(seconds)


@given(st.integers(1, 100), dice)
def test_without_a_wish_the_ceiling_doubles(attempt: int, thrown: float) -> None:
    assert retry.delay(attempt, 0.0, thrown) <= min(2.0 ** (attempt - 1), retry.LONGEST)


@pytest.mark.parametrize(
    ("ttl", "seconds"), [(0, 60), (59, 60), (61, 61), (86_400, 86_400), (30 * 86_400, 86_400)]
)
def test_the_deadline_gives_a_minute_at_least_and_a_day_at_most(ttl: float, seconds: float) -> None:
    assert retry.deadline(1000.0, ttl) == 1000.0 + seconds

"""The rate cap: nobody gets more than flows in, and nobody waits without need."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain.caps import Bucket, piece


def test_a_second_s_worth_goes_at_once_and_the_rest_waits_its_turn() -> None:
    bucket = Bucket(10.0)
    assert bucket.take(10, 0.0) == 0.0
    assert bucket.take(5, 0.0) == pytest.approx(0.5)
    assert bucket.take(5, 0.0) == pytest.approx(1.0), "behind who came before"
    assert bucket.debt(0.4) == pytest.approx(0.6)
    assert bucket.take(1, 1.2) == 0.0
    assert bucket.debt(1e12) == 0.0


def test_no_cap_costs_no_wait() -> None:
    bucket = Bucket(math.inf)
    assert [bucket.take(10**9, now) for now in (0.0, 0.0, -5.0)] == [0.0, 0.0, 0.0]
    assert bucket.debt(0.0) == 0.0


def test_a_clock_that_stands_or_goes_back_gives_nothing_away() -> None:
    bucket = Bucket(1.0)
    bucket.take(1, 100.0)
    assert bucket.take(1, 50.0) == pytest.approx(1.0)
    assert bucket.take(1, 100.0) == pytest.approx(2.0)


@given(
    st.floats(0.1, 1e4),
    st.lists(st.tuples(st.floats(0, 10), st.integers(1, 500)), min_size=1, max_size=50),
)
def test_in_no_stretch_of_time_more_goes_out_than_the_rate_allows(
    rate: float, takes: list[tuple[float, int]]
) -> None:
    bucket, now, sent = Bucket(rate), 0.0, []
    for gap, count in takes:
        now += gap
        sent.append((now + bucket.take(count, now), count))
    assert sent == sorted(sent, key=lambda one: one[0]), "in order of arrival"
    for i, (begin, first) in enumerate(sent):
        total = 0
        for at, count in sent[i:]:
            total += count
            allowed = (at - begin) * rate + bucket.burst + first
            assert total <= allowed * (1 + 1e-6) + 1e-6


@pytest.mark.parametrize(
    ("max_in_flight", "rate", "size", "expected"),
    [
        (math.inf, math.inf, 500, 500),
        (100, math.inf, 500, 100),
        (math.inf, 7.5, 500, 7),
        (math.inf, 0.01, 500, 1),
        (1, 1000.0, 500, 1),
        (100, 100.0, 3, 3),
    ],
)
def test_a_piece_fits_under_both_caps_and_is_never_empty(
    max_in_flight: float, rate: float, size: int, expected: int
) -> None:
    assert piece(max_in_flight, rate, size) == expected

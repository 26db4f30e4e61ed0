"""What is old under which terms, and which ids are older than a moment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from booper.clock import UuidIds
from booper.domain.plan import PLANS
from booper.domain.retention import DAY, GRACE, NOTHING, Cutoffs, cutoffs, first_id, terms_of

NOW = 1_800_000_000.0
TERMS = terms_of(PLANS)


def test_each_plan_has_its_days() -> None:
    assert cutoffs(TERMS["free"], NOW) == Cutoffs(NOW - 7 * DAY, NOW - 30 * DAY)
    assert cutoffs(TERMS["pro"], NOW) == Cutoffs(NOW - 30 * DAY, NOW - 100 * DAY)
    assert cutoffs(TERMS["business"], NOW) == NOTHING


def test_a_plan_that_the_settings_do_not_know_keeps_everything() -> None:
    assert cutoffs(None, NOW) == NOTHING


def test_after_a_change_of_plan_nothing_goes_for_a_week() -> None:
    assert cutoffs(TERMS["free"], NOW, NOW) == NOTHING
    assert cutoffs(TERMS["free"], NOW, NOW - GRACE + 1) == NOTHING
    assert cutoffs(TERMS["free"], NOW, NOW - GRACE) == cutoffs(TERMS["free"], NOW)


def test_an_id_sorts_by_the_moment_it_was_made_in() -> None:
    own = UuidIds().mint()
    made = int(own[:8] + own[9:13], 16) / 1000
    assert first_id(made - 1) < own < first_id(made + 1)


@given(st.floats(0, 2**38), st.floats(0, 2**38))
def test_first_ids_rise_with_time(one: float, other: float) -> None:
    early, late = sorted((one, other))
    assert first_id(early) <= first_id(late)
    assert len(first_id(early)) == 13


def test_before_all_time_there_is_no_id() -> None:
    assert first_id(-DAY) == "00000000-0000"

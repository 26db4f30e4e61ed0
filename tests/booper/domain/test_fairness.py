"""Whose turn it is: urgent lines first, then one after the other, never a whole hand for one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from booper.domain.fairness import Hand, ahead, is_urgent, line, line_of, turns

LINES = st.integers(-1000, 1000).flatmap(
    lambda tenant: st.booleans().map(lambda urgent: line(tenant, urgent=urgent))
)


def test_an_apps_own_line_and_the_publics_by_channel() -> None:
    assert line_of(7, 3, urgent=False) == line(-7)
    assert line_of(None, 3, urgent=False) == line(3)
    assert line_of(None, None, urgent=False) == line(0)
    assert is_urgent(line_of(7, None, urgent=True))


def test_a_line_alone_gets_all_but_the_reserve() -> None:
    assert turns([7], Hand(8, {}, 0)) == {7: 6}
    assert turns([7], Hand(2, {7: 6}, 7)) == {}
    assert turns([7], Hand(1, {}, 0)) == {7: 1}


def test_a_single_push_finds_a_place_although_a_million_waits() -> None:
    assert turns([7, 8], Hand(2, {7: 6}, 7)) == {8: 2}


def test_what_goes_ahead_takes_the_part_that_is_kept_for_others() -> None:
    assert ahead(2, Hand(4, {1: 12}, 1))
    assert ahead(2, Hand(1, {1: 12, 2: 3}, 1))
    assert not ahead(2, Hand(1, {1: 11, 2: 4}, 1)), "it has its part already"
    assert not ahead(1, Hand(4, {1: 12}, 1))
    assert not ahead(2, Hand(0, {1: 16}, 1)), "there is no room"
    assert ahead(2, Hand(1, {}, 0)), "a hand of one"
    assert not ahead(2, Hand(1, {2: 1}, 0))


def test_lines_take_turns_beginning_behind_the_last() -> None:
    assert turns([1, 2, 3], Hand(3, {}, 0)) == {1: 1, 2: 1, 3: 1}
    assert list(turns([1, 2, 3], Hand(2, {}, 1))) == [2, 3]
    assert list(turns([1, 2, 3], Hand(2, {}, 3))) == [1, 2]


def test_urgent_lines_come_first() -> None:
    urgent = line(9, urgent=True)
    assert next(iter(turns([1, 2, urgent], Hand(3, {}, 0)))) == urgent
    assert turns([1, 2, urgent], Hand(1, {}, 0)) == {urgent: 1}
    assert is_urgent(urgent)
    assert is_urgent(line(-9, urgent=True))
    assert not is_urgent(line(9))
    assert not is_urgent(line(-9))


@given(
    waiting=st.sets(LINES, max_size=20),
    room=st.integers(0, 20),
    held=st.dictionaries(LINES, st.integers(1, 5), max_size=5),
    last=LINES,
)
def test_never_more_than_there_is_room_for_and_nobody_due_is_passed_over(
    waiting: set[int], room: int, held: dict[int, int], last: int
) -> None:
    given_turns = turns(sorted(waiting), Hand(room, held, last))
    assert sum(given_turns.values()) <= room
    assert set(given_turns) <= waiting
    size = room + sum(held.values())
    newcomers = [n for n in waiting if n not in held and not any(map(is_urgent, waiting))]
    if room >= len(waiting) and size:
        assert set(newcomers) <= set(given_turns), "there was room, and somebody got nothing"

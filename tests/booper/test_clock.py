"""The machine's clock, ids and dice keep what their ports promise."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import RFC_4122, UUID

from booper.clock import SystemClock, SystemDice, UuidIds

if TYPE_CHECKING:
    from booper.ports import Clock, Dice, Ids


def test_ids_are_uuid7_and_sort_by_age() -> None:
    ids: Ids = UuidIds()
    made = [ids.mint() for _ in range(5000)]
    assert made == sorted(made), "later ones sort after earlier ones"
    assert len(set(made)) == 5000
    for text in (made[0], made[-1]):
        own = UUID(text)
        assert (own.version, own.variant, str(own)) == (7, RFC_4122, text)


def test_an_id_says_when_it_was_made() -> None:
    clock: Clock = SystemClock()
    before = clock.wall()
    milliseconds = UUID(UuidIds().mint()).int >> 80
    assert int(before * 1000) <= milliseconds <= int(clock.wall() * 1000) + 1


def test_two_sources_of_ids_do_not_meet() -> None:
    one, two = UuidIds(), UuidIds()
    assert not {one.mint() for _ in range(1000)} & {two.mint() for _ in range(1000)}


def test_time_goes_forward_and_dice_stay_in_their_range() -> None:
    clock: Clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()
    dice: Dice = SystemDice()
    thrown = [dice.random() for _ in range(1000)]
    assert all(0.0 <= one < 1.0 for one in thrown)
    assert len(set(thrown)) > 900

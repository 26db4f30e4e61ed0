"""The dispatcher's count of what each instance was given."""

from __future__ import annotations

from actors import Down
from booper.domain.delivery import Batch
from booper.store.outbox import Held
from booper.workers.hand import Hands

NAME = "apns"


def batch(number: int, line: int = 7) -> Batch:
    return Batch(number, "lease", 1, "n1", NAME, 1, "{}", 0.0, 1.0, (), line)


class Watch:
    """A monitor that may have seen the end."""

    def __init__(self, down: Down | None = None) -> None:
        self.down = down


def room(hands: Hands) -> int:
    wanted = hands.wants(NAME)
    return 0 if wanted is None else wanted.room


def handed(hands: Hands, number: int) -> None:
    hands.expect(batch(number), 100.0)
    hands[NAME].held[number] = hands[NAME].coming.pop(number)


def test_what_is_held_comes_or_is_asked_for_takes_room() -> None:
    hands = Hands(4)
    assert (room(hands), hands.empty(NAME)) == (4, True)
    handed(hands, 1)
    hands.expect(batch(2, line=9), 100.0)
    with hands.asking({NAME: 1}):
        assert (room(hands), hands.empty(NAME), hands.hungry()) == (1, False, False)
        with hands.asking({NAME: 1}):
            assert hands.wants(NAME) is None
    wanted = hands.wants(NAME)
    assert wanted is not None
    assert (wanted.room, dict(wanted.held), wanted.last) == (2, {7: 1, 9: 1}, 9)
    assert hands.put_down(1) == Held(1, "lease")
    assert hands.put_down(1) is None
    assert room(hands) == 3


def test_a_small_one_goes_ahead_out_of_the_reserve() -> None:
    hands = Hands(8)
    assert hands.spare(NAME, 7), "nobody knows it yet: it is idle"
    for number in range(6):
        handed(hands, number)
    assert not hands.spare(NAME, 7), "its line has more than the reserve in hand"
    assert hands.spare(NAME, 9)
    with hands.asking({NAME: 8}):
        assert hands.spare(NAME, 9), "what the store is asked for takes nothing of the reserve"
    hands.expect(batch(6, line=9), 100.0)
    assert hands.spare(NAME, 9)
    hands.expect(batch(7, line=9), 100.0)
    assert not hands.spare(NAME, 9), "that was its part"
    assert not hands.spare(NAME, 11), "the hand is full"
    hands.put_down(0)
    assert hands.spare(NAME, 11)


def test_after_a_rest_nothing_goes_ahead_but_the_one() -> None:
    hands = Hands(8)
    hands[NAME].rests_until = 50.0
    assert hands.spare(NAME, 7)
    handed(hands, 1)
    assert not hands.spare(NAME, 9)


def test_after_a_rest_it_is_handed_one_at_a_time() -> None:
    hands = Hands(4)
    hands[NAME].rests_until = 50.0
    assert hands.rests(NAME, 49.0)
    assert not hands.rests(NAME, 50.0)
    assert room(hands) == 1
    handed(hands, 1)
    assert room(hands) == 0


def test_who_ended_leaves_what_it_held_and_not_what_was_on_its_way() -> None:
    hands = Hands(4)
    handed(hands, 1)
    hands.expect(batch(2), 100.0)
    hands[NAME].monitor = Watch()  # type: ignore[assignment]
    assert hands.fallen() == []
    hands[NAME].monitor = Watch(Down("instance/apns", "crash: boom"))  # type: ignore[assignment]
    assert hands.fallen() == [(Held(1, "lease"), "crash: boom")]
    assert hands.fallen() == []
    assert list(hands[NAME].coming) == [2]
    hands[NAME].coming.clear()
    assert hands.fallen() == []
    assert hands.empty(NAME)


def test_leases_are_renewed_for_so_long() -> None:
    hands = Hands(4)
    handed(hands, 1)
    hands.expect(batch(2), 200.0)
    assert hands.leases(150.0) == [Held(2, "lease")]
    assert sorted(hands.leases(50.0)) == [Held(1, "lease"), Held(2, "lease")]

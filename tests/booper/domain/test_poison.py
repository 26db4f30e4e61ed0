"""One suspect at a time, alone in its instance's hand, and none can hold up the others for long."""

from __future__ import annotations

from booper.domain.poison import SOLO, Isolation


def test_one_instance_has_its_turn_until_its_suspect_is_off() -> None:
    one = Isolation()
    assert not one.waits
    one.choose(["a", "b"], {"a", "b"}, 0.0)
    assert (one.instance, one.waits) == ("a", True)
    one.choose(["b", "a"], {"a", "b"}, 1.0)
    assert one.instance == "a", "it is still emptying its hand"
    one.begin(7, 1.0)
    assert not one.waits
    one.choose(["b"], {"b"}, 2.0)
    assert one.instance == "a"
    one.end(8)
    assert one.instance == "a", "that was another batch"
    one.end(7)
    one.choose(["b"], {"b"}, 2.0)
    assert (one.instance, one.waits) == ("b", True)


def test_a_suspect_that_takes_its_time_makes_room_for_the_next() -> None:
    one = Isolation()
    one.choose(["a"], {"a"}, 0.0)
    one.begin(7, 0.0)
    one.choose(["a", "b"], {"b"}, SOLO - 0.1)
    assert one.instance == "a"
    one.choose(["a", "b"], {"b"}, SOLO)
    assert (one.instance, one.waits) == ("b", True)
    one.end(7)
    assert one.instance == "b"


def test_an_instance_that_cannot_send_now_is_passed_over() -> None:
    one = Isolation()
    one.choose(["a", "b"], {"b"}, 0.0)
    assert one.instance == "b"
    one.choose(["a", "b"], set(), 0.0)
    assert not one.waits

"""Callers known from a moment ago: not a moment longer, and never beside a revocation."""

from __future__ import annotations

from booper.api import known
from booper.api.known import TTL, Known
from booper.domain.caller import Anonymous

WHO = Anonymous()


class Hands:
    """A clock that is set by hand."""

    now = 0.0

    def wall(self) -> float:
        return self.now

    monotonic = wall


def test_it_forgets_within_the_second_that_is_promised() -> None:
    clock = Hands()
    seen = Known(clock)
    seen.keep("a", "proof", WHO, seen.mark)
    assert seen.get("a", "proof") is WHO
    clock.now = TTL
    assert seen.get("a", "proof") is None
    assert TTL < 1


def test_only_the_same_proof_is_known() -> None:
    seen = Known(Hands())
    seen.keep("a", "proof", WHO, seen.mark)
    assert seen.get("a", "other") is None
    assert seen.get("b", "proof") is None


def test_what_was_dropped_is_gone_at_once() -> None:
    seen = Known(Hands())
    seen.keep("a", "proof", WHO, seen.mark)
    seen.drop("a", "b")
    assert seen.get("a", "proof") is None


def test_a_look_from_before_a_revocation_is_not_kept() -> None:
    seen = Known(Hands())
    mark = seen.mark
    seen.drop("a")
    seen.keep("a", "proof", WHO, mark)
    assert seen.get("a", "proof") is None


def test_it_is_bounded() -> None:
    seen = Known(Hands())
    for number in range(known.ROOM + 5):
        seen.keep(str(number), "proof", WHO, seen.mark)
    assert seen.get("4", "proof") is None
    assert seen.get("5", "proof") is WHO
    assert len(seen._entries) == known.ROOM

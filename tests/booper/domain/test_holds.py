"""One push service that wants a pause, or is silent, does not hold the others."""

from __future__ import annotations

import pytest

from booper.domain.holds import LONGEST, MOST, PAUSE, SILENT, Holds, origin_of
from booper.domain.outcome import ACCEPTED, About, Kind, Outcome

HERE, THERE = "https://push.example", "https://other.example:8443"
LOST = Outcome(Kind.RETRY, 0, "deadline")


def too_many(after: float) -> Outcome:
    return Outcome(Kind.RETRY, 429, "HTTP 429", after=after, about=About.ORIGIN)


def test_a_service_that_has_enough_is_left_alone_for_as_long_as_it_said() -> None:
    holds = Holds()
    assert not holds.any(0.0)
    holds.learn(HERE, [ACCEPTED, too_many(40.0), too_many(20.0)], 100.0)
    assert holds.any(139.0)
    held = holds.outcome(HERE, 110.0, 0.0)
    assert held is not None
    assert (held.kind, held.after, held.local) == (Kind.HELD, 30.0, True)
    spread = holds.outcome(HERE, 110.0, 0.5)
    assert spread is not None
    assert spread.after == pytest.approx(31.5)
    assert holds.outcome(THERE, 110.0, 0.0) is None
    assert holds.outcome(HERE, 140.0, 0.0) is None
    assert not holds.any(140.0)


def test_no_service_can_ask_for_more_than_an_hour_nor_shorten_a_pause() -> None:
    holds = Holds()
    holds.learn(HERE, [too_many(1e9)], 0.0)
    holds.learn(HERE, [too_many(1.0)], 0.0)
    held = holds.outcome(HERE, 0.0, 0.99)
    assert held is not None
    assert held.after == LONGEST


def test_a_silent_service_is_held_after_some_silences_in_a_row() -> None:
    holds = Holds()
    for _ in range(SILENT - 1):
        holds.learn(HERE, [LOST, LOST], 0.0)
    holds.learn(HERE, [LOST, ACCEPTED], 0.0)
    for _ in range(SILENT - 1):
        holds.learn(HERE, [LOST], 0.0)
    assert not holds.any(0.0)
    holds.learn(HERE, [LOST], 1.0)
    held = holds.outcome(HERE, 1.0, 0.0)
    assert held is not None
    assert held.after == PAUSE
    assert holds.outcome(THERE, 1.0, 0.0) is None


def test_after_the_pause_one_more_silence_is_enough() -> None:
    holds = Holds()
    for _ in range(SILENT):
        holds.learn(HERE, [LOST], 0.0)
    assert holds.outcome(HERE, PAUSE, 0.0) is None
    holds.learn(HERE, [LOST], PAUSE)
    assert holds.outcome(HERE, PAUSE, 0.0) is not None


def test_what_never_left_says_nothing_of_the_service() -> None:
    holds = Holds()
    for _ in range(10):
        holds.learn(HERE, [Outcome(Kind.FAILED, 0, "guarded", local=True)], 0.0)
        holds.learn(HERE, [], 0.0)
    assert not holds.any(0.0)


def test_strangers_cannot_fill_the_memory() -> None:
    holds = Holds()
    for n in range(2 * MOST):
        name = f"https://{n}.example"
        holds.learn(name, [too_many(60.0)], 0.0)
        holds.learn(name, [LOST], 0.0)
    assert holds.outcome("https://0.example", 0.0, 0.0) is None
    assert holds.outcome(f"https://{2 * MOST - 1}.example", 0.0, 0.0) is not None
    assert max(len(held) for held in vars(holds).values() if hasattr(held, "__len__")) == MOST


def test_the_origin_of_a_url() -> None:
    assert origin_of("https://push.example/a/b?c") == "https://push.example"
    assert origin_of("https://push.example:8443/x") == "https://push.example:8443"

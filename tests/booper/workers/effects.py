"""Ports in virtual time: a clock that runs with trio's, dice that fall as told."""

from __future__ import annotations

from typing import Any, cast

import trio

from booper.ports import Ports


class TrioClock:
    """Both times are trio's, so they jump when trio's does."""

    def wall(self) -> float:
        return 1_800_000_000.0 + trio.current_time()

    def monotonic(self) -> float:
        return trio.current_time()


class Dice:
    """Always the same number."""

    def __init__(self, number: float = 0.0) -> None:
        self.number = number

    def random(self) -> float:
        return self.number


def ports(**some: Any) -> Ports:
    """A bundle with a clock, dice and what is handed in; nobody may ask for the rest."""
    given = {"clock": TrioClock(), "dice": Dice(), **some}
    return Ports(**{name: given.get(name, cast("Any", None)) for name in Ports._fields})

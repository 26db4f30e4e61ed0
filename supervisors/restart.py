"""Decisions about restarts, as pure functions and values: who, in which order, how often, when.

Nothing here waits or reads a clock; `supervisor.py` acts on what is decided here. The rules are
those of OTP's supervisor, with a back-off beside them that OTP does not have.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeGuard

from supervisors.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Restart(Enum):
    """When a child is started again after an end that nobody asked for."""

    PERMANENT = "permanent"  # always
    TRANSIENT = "transient"  # only after an abnormal end
    TEMPORARY = "temporary"  # never; it is forgotten when it ends


class Strategy(Enum):
    """Which children a restart concerns."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class How(Enum):
    """How a worker's task came to its end."""

    RETURNED = "returned"
    SHUTDOWN = "shutdown"  # it raised ShutdownReason
    CRASHED = "crashed"
    CANCELLED = "cancelled"  # a Cancelled that no scope of ours had sent
    KILLED = "killed"  # we cancelled its scope
    IGNORED = "ignored"  # it raised Ignore before it was ready
    EXIT = "exit"  # SystemExit or KeyboardInterrupt: the program is to end


ABNORMAL = frozenset({How.CRASHED, How.CANCELLED, How.KILLED})


def wants_restart(restart: Restart, how: How, *, asked: bool) -> bool:
    """Whether a child that ended is started again; never if its supervisor had asked it to end."""
    if asked or restart is Restart.TEMPORARY:
        return False
    return restart is Restart.PERMANENT or how in ABNORMAL


def affected(strategy: Strategy, order: Sequence[str], child: str) -> tuple[str, ...]:
    """The ids that are restarted with `child`, itself included, in start order.

    They are stopped in the reverse of it. `child` must be in `order`.
    """
    if strategy is Strategy.ONE_FOR_ONE:
        return (child,)
    if strategy is Strategy.ONE_FOR_ALL:
        return tuple(order)
    return tuple(order[order.index(child) :])


@dataclass(frozen=True, slots=True)
class Intensity:
    """At most `restarts` restarts within `period` seconds; one more and the supervisor gives up.

    With 0 restarts the first crash already escalates. The default is Elixir's, 3 in 5 seconds.
    """

    restarts: int = 3
    period: float = 5.0

    def __post_init__(self) -> None:
        if type(self.restarts) is not int or self.restarts < 0:
            raise InvalidSpec("restarts", "a whole number, zero or more")
        require_seconds("period", self.period, positive=True)


class Window:
    """The recent restarts of one supervisor, counted on a clock that never goes back."""

    def __init__(self, intensity: Intensity) -> None:
        self.intensity = intensity
        self._times: deque[float] = deque()

    def add(self, now: float) -> bool:
        """Count a restart at `now`; true if that is one more than the intensity allows."""
        times = self._times
        times.append(now)
        oldest = now - self.intensity.period
        while times[0] < oldest:
            times.popleft()
        return len(times) > self.intensity.restarts


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a child waits before it is started again: `first`, `base`, `base * factor`, … `cap`.

    The first restart of a series is immediate by default. A child that has run `steady` seconds
    starts a new series. `dice` gives numbers in [0, 1); with them a share of up to `jitter` of
    each delay is taken off, so that many children do not come back at the same moment.
    Slow restarts fill the intensity window slowly: with a back-off that outgrows the period a
    supervisor never gives up, which may be what is wanted.
    """

    first: float = 0.0
    base: float = 0.1
    factor: float = 2.0
    cap: float = 30.0
    jitter: float = 0.0
    steady: float = 30.0
    dice: Callable[[], float] | None = None

    def __post_init__(self) -> None:
        for field in ("first", "base", "cap", "steady"):
            require_seconds(field, getattr(self, field))
        if not _is_number(self.factor) or self.factor < 1:
            raise InvalidSpec("factor", "a finite number, 1 or more")
        if not _is_number(self.jitter) or not 0 <= self.jitter <= 1:
            raise InvalidSpec("jitter", "a share between 0 and 1")
        if not (callable(self.dice) or (self.dice is None and not self.jitter)):
            raise InvalidSpec("dice", "a function that gives numbers in [0, 1); jitter needs it")

    def delay(self, attempt: int) -> float:
        """Seconds before restart number `attempt` (1 is the first) of a series."""
        if attempt <= 1:
            seconds = min(self.first, self.cap)
        else:
            try:
                seconds = min(self.cap, self.base * self.factor ** (attempt - 2))
            except OverflowError:
                seconds = self.cap
        return seconds * (1 - self.jitter * self.dice()) if self.dice else seconds


def require_seconds(field: str, value: object, *, positive: bool = False) -> None:
    """Refuse, by the name of the field, what is not a finite number of seconds."""
    if not _is_number(value) or value < 0 or (positive and value == 0):
        raise InvalidSpec(field, "a finite number of seconds" + (" above 0" if positive else ""))


def _is_number(value: object) -> TypeGuard[float]:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]

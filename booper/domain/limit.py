"""Limit: how often something may be done. GCRA, the generic cell rate algorithm (ITU-T I.371).

One number per key is kept: the theoretical arrival time, up to when what was taken is paid for.
"""

from __future__ import annotations

import math

import msgspec


class Limit(msgspec.Struct, frozen=True):
    """`rate` a second on average under `key`, and `burst` of them at once after a rest."""

    key: str
    rate: float
    burst: int

    @property
    def interval(self) -> float:
        """Seconds that one costs."""
        return 1.0 / self.rate

    @property
    def tolerance(self) -> float:
        """Seconds that may be owed."""
        return self.burst / self.rate


class Verdict(msgspec.Struct, frozen=True):
    """Whether it may be done now.

    `remaining` more may follow at once. `retry_after`: seconds until it may be (0 if it may now,
    infinity if never: more than `burst` at once). `reset_after`: seconds until all is as new.
    """

    allowed: bool
    burst: int
    remaining: int
    retry_after: float
    reset_after: float


def take(limit: Limit, paid_until: float, now: float, cost: int = 1) -> tuple[float, Verdict]:
    """Take `cost` at `now`: the new theoretical arrival time (unchanged if refused), the verdict.

    Times in seconds of any one clock; `paid_until` is 0 for a key never seen.
    """
    begin = max(paid_until, now)
    after = begin + cost * limit.interval
    if cost > limit.burst:
        return paid_until, _verdict(limit, begin, now, math.inf, cost)
    wait = after - limit.tolerance - now
    if wait > 1e-9:  # floats: what is due exactly now is due
        return paid_until, _verdict(limit, begin, now, wait, cost)
    return after, _verdict(limit, after, now, 0.0, cost)


def _verdict(limit: Limit, paid_until: float, now: float, wait: float, cost: int) -> Verdict:
    owed = paid_until - now
    left = max(0, math.floor((limit.tolerance - owed) * limit.rate + 1e-6))
    if wait:  # by a hair too early: what is refused cannot be what remains
        left = min(left, cost - 1)
    return Verdict(wait == 0.0, limit.burst, left, wait, owed)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The one to tell of several that all had to allow it: the longest wait, else the least left.

    Raises ValueError for none.
    """
    return max(verdicts, key=gravity)


def gravity(verdict: Verdict) -> tuple[float, int]:
    """By which one verdict is worse than another."""
    return verdict.retry_after, -verdict.remaining

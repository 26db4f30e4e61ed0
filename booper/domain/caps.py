"""Caps: how much an instance may have in flight, and how fast it may send."""

from __future__ import annotations

import math


class Bucket:
    """A token bucket that may be owed to: `rate` devices a second, one second's worth at once.

    Whoever takes more than there is waits until it has flowed in, and so in order of arrival.
    """

    def __init__(self, rate: float) -> None:
        """`rate` in devices a second, above 0; inf: no cap."""
        self.rate = rate
        self.burst = max(rate, 1.0)
        self._level = self.burst
        self._at = -math.inf

    def take(self, count: int, now: float) -> float:
        """Take `count`; the seconds to wait before they may be sent. `now` is monotonic."""
        if self.rate == math.inf:
            return 0.0
        self._fill(now)
        self._level -= count
        return max(-self._level / self.rate, 0.0)

    def debt(self, now: float) -> float:
        """Seconds until nothing is owed: how long another taker would wait at least."""
        if self.rate == math.inf:
            return 0.0
        self._fill(now)
        return max(-self._level / self.rate, 0.0)

    def _fill(self, now: float) -> None:
        elapsed = max(now - self._at, 0.0)
        self._at = max(now, self._at)
        self._level = min(self._level + min(elapsed, 1e9) * self.rate, self.burst)


def piece(max_in_flight: float, rate: float, size: int) -> int:
    """How many devices of a batch of `size` may go at once under both caps; at least one."""
    return max(1, int(min(size, max_in_flight, max(rate, 1.0))))

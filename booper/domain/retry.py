"""When to try again, or never. Pure: attempt, outcome and dice in, seconds out."""

from __future__ import annotations

BUDGET = 20  # tries a device gets for one notification
LONGEST = 3600.0  # seconds between two tries
FIRST = 1.0  # seconds: the ceiling of the first back-off
HORIZON = 86_400.0  # seconds after which nothing is tried any more, whatever the ttl says


def delay(attempt: int, after: float, dice: float) -> float:
    """Seconds to wait before try number `attempt` + 1; `attempt` counts from 1.

    Full jitter over a doubling ceiling; never less than what the provider asked for (`after`,
    clamped to LONGEST), to which at most a tenth is added so that a herd does not return at once.
    """
    ceiling = min(LONGEST, FIRST * 2.0 ** min(attempt - 1, 20))
    asked = min(max(after, 0.0), LONGEST)
    return max(dice * ceiling, asked * (1.0 + dice / 10.0))


def deadline(created: float, ttl: float) -> float:
    """Unix seconds after which nothing is tried; even a ttl of 0 gets a first minute."""
    return created + min(max(ttl, 60.0), HORIZON)

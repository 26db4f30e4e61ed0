"""When to try again, or never. Pure: attempt, outcome and dice in, seconds out."""

from __future__ import annotations

BUDGET = 20  # tries a device gets for one notification
LONGEST = 3600.0  # seconds between two tries
FIRST = 1.0  # seconds: the ceiling of the first back-off
HORIZON = 86_400.0  # seconds after which nothing is tried any more, whatever the ttl says


def delay(attempt: int, after: float, dice: float) -> float:
    """Seconds to wait before try number `attempt` + 1; `attempt` counts from 1.

    Full jitter over a doubling ceiling, at most LONGEST; never less than what the table of errors
    asks for (`after`, at most HORIZON: a quota may last a day), to which at most a tenth, and six
    minutes, is added so that a herd does not return at once.
    """
    ceiling = min(LONGEST, FIRST * 2.0 ** min(attempt - 1, 20))
    asked = min(max(after, 0.0), HORIZON)
    return max(dice * ceiling, asked + dice * min(asked, LONGEST) / 10.0)


def deadline(created: float, ttl: float) -> float:
    """Unix seconds after which nothing is tried; even a ttl of 0 gets a first minute."""
    return created + min(max(ttl, 60.0), HORIZON)

"""Retry-After (RFC 9110 §10.2.3) as seconds, in both of its forms, from anybody, clamped."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from booper.wire import Reply

LONGEST = 3600.0
DAY = 86_400.0


def retry_after(reply: Reply, otherwise: float) -> float:
    """Seconds to wait, 0 to 3600; `otherwise` if the header is missing or makes no sense.

    A date is measured against the answer's own Date, so no clock of ours is asked.
    """
    value = reply.header(b"retry-after")
    if value is None:
        return otherwise
    if value.isdigit():
        return min(float(value[:9]), LONGEST)
    try:
        then = parsedate_to_datetime(value.decode("ascii"))
        now = parsedate_to_datetime((reply.header(b"date") or b"").decode("ascii"))
        seconds = (then - now).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return otherwise
    return min(seconds, LONGEST) if seconds >= 0 else otherwise


def until_midnight(reply: Reply, otherwise: float) -> float:
    """Seconds until the day of UTC is over, by the answer's own Date; `otherwise` without one."""
    try:
        date = parsedate_to_datetime((reply.header(b"date") or b"").decode("ascii"))
        return DAY - date.timestamp() % DAY
    except (ValueError, TypeError, IndexError, OverflowError):
        return otherwise

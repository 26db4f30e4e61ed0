"""Plan: what an app may do in a second and in a day, and how long its notifications are kept."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0, le=10**12)]
Days = Annotated[int, Meta(ge=0, le=36_500)]


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """0 is "no end": as many as it likes, kept for ever. `priority`: ahead of the other plans."""

    per_second: Count = 10  # requests that notify
    per_day: Count = 100  # notifications, by the day of UTC
    archive_after: Days = 7
    delete_after: Days = 30
    priority: bool = False


PLANS = {
    "free": Plan(),
    "pro": Plan(per_day=1000, archive_after=30, delete_after=100),
    "business": Plan(per_day=0, archive_after=0, delete_after=0, priority=True),
}

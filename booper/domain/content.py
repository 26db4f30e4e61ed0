"""Content: what is said, in no provider's words."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from booper.domain.errors import Invalid

MAX_TTL = 30 * 86_400  # seconds; APNs and Web Push keep nothing longer
_COLLAPSE_KEY = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?")  # it travels in a header
Text = Annotated[str, Meta(max_length=4096)]
Short = Annotated[str, Meta(min_length=1, max_length=256)]


class Priority(StrEnum):
    """HIGH wakes the device now; NORMAL may wait for a better moment."""

    NORMAL = "normal"
    HIGH = "high"


class Interruption(StrEnum):
    """How loudly the device may break in (Apple's interruption levels)."""

    PASSIVE = "passive"
    ACTIVE = "active"
    TIME_SENSITIVE = "time-sensitive"
    CRITICAL = "critical"


class Content(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One neutral message; every codec says what it can of it. `ttl`: seconds, 0 = now."""

    title: Text = ""
    subtitle: Text = ""
    body: Text = ""
    badge: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    sound: Short | None = None
    data: dict[str, Any] = {}
    image: Annotated[str, Meta(max_length=2048)] | None = None
    url: Annotated[str, Meta(max_length=2048)] | None = None
    category: Short | None = None
    thread: Short | None = None
    priority: Priority = Priority.HIGH
    interruption: Interruption | None = None
    ttl: Annotated[int, Meta(ge=0, le=MAX_TTL)] = 86_400
    collapse_key: Annotated[str, Meta(min_length=1, max_length=64)] | None = None

    def checked(self) -> Content:
        """Itself, or Invalid: there must be something to show or to hand to the app."""
        if not (self.title or self.body or self.data or self.badge is not None):
            raise Invalid(
                "A notification needs a title, a body, data or a badge.", code="empty_notification"
            )
        if self.collapse_key is not None and not _COLLAPSE_KEY.fullmatch(self.collapse_key):
            raise Invalid(
                "A collapse_key has 1 to 64 printable ASCII characters, no space at its ends.",
                code="invalid_collapse_key",
                pointer="/collapse_key",
            )
        return self

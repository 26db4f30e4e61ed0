"""LiveActivity: what is shown all the time (a score, a ride) begins, changes or ends."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from booper.domain.errors import Invalid

Moment = Annotated[int, Meta(ge=0, le=2**40)]


class Event(StrEnum):
    """What happens to it."""

    START = "start"
    UPDATE = "update"
    END = "end"


class LiveActivity(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Moments are Unix seconds; `timestamp` orders changes, else the notification's own time does.

    `state` is what the app shows. `type` and `attributes` name and fill a new one; `dismiss_at`
    takes an ended one off the screen; after `stale_at` what is shown counts as out of date.
    """

    event: Event
    state: dict[str, Any] = {}
    timestamp: Moment | None = None
    stale_at: Moment | None = None
    dismiss_at: Moment | None = None
    relevance: Annotated[float, Meta(ge=0, le=1000)] | None = None
    type: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    attributes: dict[str, Any] | None = None

    def check(self, *, alert: bool) -> None:
        """Invalid unless a start brings all that a start needs, and the others bring none of it.

        Apple wants a start announced: `alert` says whether there is a text to show.
        """
        starts = self.event is Event.START
        if starts and (self.type is None or self.attributes is None or not alert):
            raise Invalid(
                "To start a live activity takes its type, its attributes and a title or a body.",
                code="live_activity_incomplete",
                pointer="/live_activity",
            )
        if not starts and (self.type is not None or self.attributes is not None):
            raise Invalid(
                "type and attributes belong to the start of a live activity.",
                code="live_activity_not_starting",
                pointer="/live_activity/type" if self.type else "/live_activity/attributes",
            )
        if self.event is not Event.END and self.dismiss_at is not None:
            raise Invalid(
                "dismiss_at belongs to the end of a live activity.",
                code="live_activity_not_ending",
                pointer="/live_activity/dismiss_at",
            )

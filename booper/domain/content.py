"""Content: what is said, in no provider's words."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from booper.domain import raw
from booper.domain.errors import Invalid
from booper.domain.live_activity import LiveActivity

MAX_TTL = 30 * 86_400  # seconds; APNs and Web Push keep nothing longer
_COLLAPSE_KEY = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?")  # it travels in a header
Text = Annotated[str, Meta(max_length=4096)]
Short = Annotated[str, Meta(min_length=1, max_length=256)]
Arguments = Annotated[tuple[Annotated[str, Meta(max_length=1024)], ...], Meta(max_length=16)]


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


class Form(StrEnum):
    """What a device does with it; each provider takes its nearest, or fails it with a reason."""

    ALERT = "alert"  # shows it
    BACKGROUND = "background"  # hands it to the app, shows nothing
    VOIP = "voip"  # rings
    LIVE_ACTIVITY = "live_activity"  # changes what is shown all the time


class Content(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One neutral message; every codec says what it can of it. `ttl`: seconds, 0 = now.

    The `…loc_key`s name texts that the app has in the user's language, `…loc_args` what stands
    in their gaps; `loc_key` is the body's. Without a `form` the content itself says which it is.
    `raw`: provider → what is laid over the body of each request to it, as a JSON merge patch
    (RFC 7396: objects merge, null removes, all else replaces).
    """

    title: Text = ""
    title_loc_key: Short | None = None
    title_loc_args: Arguments = ()
    subtitle: Text = ""
    subtitle_loc_key: Short | None = None
    subtitle_loc_args: Arguments = ()
    body: Text = ""
    loc_key: Short | None = None
    loc_args: Arguments = ()
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
    form: Form | None = None
    live_activity: LiveActivity | None = None
    raw: dict[str, dict[str, Any]] = {}

    @property
    def texts(self) -> bool:
        """Whether there is something to read: a title or a body, written out or by its key."""
        return bool(self.title or self.body or self.title_loc_key or self.loc_key)

    @property
    def actual_form(self) -> Form:
        """The form it was given, else the one that its fields make it."""
        if self.form is not None:
            return self.form
        if self.live_activity is not None:
            return Form.LIVE_ACTIVITY
        quiet = not (self.texts or self.subtitle or self.subtitle_loc_key or self.sound)
        return Form.BACKGROUND if quiet and self.badge is None else Form.ALERT

    def checked(self) -> Content:
        """Itself, or Invalid: there must be something to show or to hand to the app."""
        if not (
            self.texts or self.data or self.badge is not None or self.live_activity or self.raw
        ):
            raise Invalid(
                "A notification needs a title, a body, data, a badge, a live_activity or raw.",
                code="empty_notification",
            )
        if self.collapse_key is not None and not _COLLAPSE_KEY.fullmatch(self.collapse_key):
            raise Invalid(
                "A collapse_key has 1 to 64 printable ASCII characters, no space at its ends.",
                code="invalid_collapse_key",
                pointer="/collapse_key",
            )
        self._check_arguments()
        self._check_form()
        raw.check(self.raw)
        return self

    def _check_arguments(self) -> None:
        if not (self.title_loc_args or self.subtitle_loc_args or self.loc_args):
            return
        for part in ("title_", "subtitle_", ""):
            if getattr(self, f"{part}loc_args") and not getattr(self, f"{part}loc_key"):
                raise Invalid(
                    f"{part}loc_args fill the gaps of a {part}loc_key; there is none.",
                    code="loc_args_without_key",
                    pointer=f"/{part}loc_args",
                )

    def _check_form(self) -> None:
        """Form and fields must agree; without a form they always do."""
        if self.form is None and self.live_activity is None:
            return
        if self.form is Form.BACKGROUND and (
            msgspec.structs.replace(self, form=None).actual_form is Form.ALERT
        ):
            raise Invalid(
                "A background notification shows nothing: no texts, no sound, no badge.",
                code="background_shows_nothing",
                pointer="/form",
            )
        if (self.live_activity is not None) != (self.form is Form.LIVE_ACTIVITY) and (
            self.form is not None
        ):
            raise Invalid(
                "A live_activity and the form live_activity go together.",
                code="live_activity_and_form",
                pointer="/live_activity" if self.live_activity else "/form",
            )
        if self.live_activity is not None:
            self.live_activity.check(alert=self.texts)

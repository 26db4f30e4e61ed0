"""The neutral message in Expo's words, without its recipients.

Source: Expo, "Send notifications with the Expo Push Service", message request format; the fields
`threadId`, `collapseId`, `tag` and `contentAvailable` as Expo's own Node SDK (7.2) types them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from booper.domain.content import Content, Form, Interruption, Priority
from booper.domain.outcome import Kind, Outcome
from booper.providers.override import merged
from booper.providers.provider import NOTIFICATION_ID

if TYPE_CHECKING:
    from booper.providers.provider import Occasion


def message(
    content: Content, occasion: Occasion, *, channel: str | None = None
) -> dict[str, Any] | Outcome:
    """One message without `to`; an Outcome where Expo has no words for it.

    `channel` is the Android channel. Localisation keys have no counterpart: what is written out
    is sent, and a message that would then show nothing is failed. `raw["expo"]` lies over all.
    """
    form = content.actual_form
    if form in (Form.VOIP, Form.LIVE_ACTIVITY):
        return Outcome(Kind.FAILED, 400, f"Expo sends no {form.value} notifications", local=True)
    said: dict[str, Any] = {
        key: value for key in ("title", "subtitle", "body") if (value := getattr(content, key))
    }
    override = content.raw.get("expo", {})
    readable = said.keys() & {"title", "body"} or override.keys() & {"title", "body"}
    if content.texts and not readable:
        return Outcome(
            Kind.FAILED, 400, "Expo knows no localisation keys, and no text is given", local=True
        )
    said["data"] = _data(content, occasion)
    background = form is Form.BACKGROUND
    if background:
        said["contentAvailable"] = True
    else:
        said.update(_shown(content, occasion, sounds=bool(readable), channel=channel))
    urgent = content.priority is Priority.HIGH and not background
    said["priority"] = "high" if urgent else "normal"
    if content.ttl:
        # A moment, not a span: a second try an hour later must not live an hour longer.
        said["expiration"] = int(occasion.created_at + content.ttl)
    else:
        said["ttl"] = 0
    said = merged(said, override)
    said.pop("to", None)  # whom it is for is not the caller's to override
    return said


def _data(content: Content, occasion: Occasion) -> dict[str, Any]:
    """What the app gets; `url` stands in it, where Expo's router looks for it."""
    url = {"url": content.url} if content.url else {}
    return {NOTIFICATION_ID: occasion.id, **url, **content.data}


def _shown(
    content: Content, occasion: Occasion, *, sounds: bool, channel: str | None
) -> dict[str, Any]:
    """What a notification that is seen has besides its texts."""
    said: dict[str, Any] = {}
    if sound := content.sound or ("default" if sounds else None):
        critical = content.interruption is Interruption.CRITICAL
        said["sound"] = {"critical": True, "name": sound, "volume": 1.0} if critical else sound
    if content.badge is not None:
        said["badge"] = content.badge
    if content.interruption:
        said["interruptionLevel"] = content.interruption.value
    if channel:
        said["channelId"] = channel
    if content.category:
        said["categoryId"] = content.category
    if content.thread:
        said["threadId"] = content.thread
    if content.image:
        said["richContent"] = {"image": content.image}
        said["mutableContent"] = True
    # A push that had to be sent twice replaces itself on the screen: on iOS, on Android.
    said["collapseId"] = said["tag"] = content.collapse_key or occasion.id
    return said

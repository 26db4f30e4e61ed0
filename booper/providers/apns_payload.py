"""What Apple's devices are told: the JSON of a push, and which kind of push that makes it.

Sources: Apple, "Generating a remote notification", "Starting and updating Live Activities with
ActivityKit push notifications".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from booper.domain.content import Content, Form
from booper.providers.override import merged
from booper.providers.provider import NOTIFICATION_ID

if TYPE_CHECKING:
    from booper.domain.live_activity import LiveActivity
    from booper.providers.provider import Occasion


def payload(content: Content, occasion: Occasion) -> tuple[dict[str, Any], Form]:
    """The JSON that Apple wants, raw override included, and the form it has then.

    `data` stands beside `aps` and can never replace it, and so does the notification's id, by which
    the app may confirm it. What nobody gave a form is a background
    push if it has nothing to show, no badge and no sound: Apple wants those three absent then,
    and `content-available` present. The moment it was said orders the changes of a live activity.
    """
    extra = {key: value for key in ("image", "url") if (value := getattr(content, key))}
    form = content.actual_form
    # A live activity has no app that would read it.
    named = {} if form is Form.LIVE_ACTIVITY else {NOTIFICATION_ID: occasion.id}
    said = {**named, **extra, **content.data, "aps": aps(content, occasion.created_at)}
    if patch := content.raw.get("apns"):
        said = merged(said, patch)
    inner = said.get("aps")
    if not isinstance(inner, dict):
        return said, form  # whoever replaces it as a whole knows what he does
    if content.form is None and form is not Form.LIVE_ACTIVITY:
        silent = inner.keys().isdisjoint(("alert", "badge", "sound"))
        form = Form.BACKGROUND if silent else Form.ALERT
    if form is Form.BACKGROUND:
        inner.setdefault("content-available", 1)
    return said, form


def aps(content: Content, now: float) -> dict[str, Any]:
    """Apple's own part of the payload, without `content-available`."""
    form = content.actual_form
    if form is Form.LIVE_ACTIVITY and content.live_activity is not None:
        return _activity(content, content.live_activity, now)
    said: dict[str, Any] = {}
    alert = texts(content)
    if alert:
        said["alert"] = alert
    if sound := content.sound or ("default" if alert and form is Form.ALERT else None):
        said["sound"] = sound
    if content.badge is not None:
        said["badge"] = content.badge
    if content.category:
        said["category"] = content.category
    if content.thread:
        said["thread-id"] = content.thread
    if content.interruption:
        said["interruption-level"] = content.interruption.value
    if content.image:
        said["mutable-content"] = 1
    return said


def texts(content: Content) -> dict[str, Any]:
    """The texts, written out or as keys of the app's own."""
    said: dict[str, Any] = {
        key: value for key in ("title", "subtitle", "body") if (value := getattr(content, key))
    }
    for part in ("title_", "subtitle_", ""):
        if key := getattr(content, f"{part}loc_key"):
            said[f"{part}loc-key".replace("_", "-")] = key
            if arguments := getattr(content, f"{part}loc_args"):
                said[f"{part}loc-args".replace("_", "-")] = list(arguments)
    return said


def _activity(content: Content, activity: LiveActivity, now: float) -> dict[str, Any]:
    """A live activity's change; its alert has other places for keys and sound than a push's."""
    moment = int(now) if activity.timestamp is None else activity.timestamp
    optional = {
        "stale-date": activity.stale_at,
        "dismissal-date": activity.dismiss_at,
        "relevance-score": activity.relevance,
        "attributes-type": activity.type,
        "attributes": activity.attributes,
    }
    said: dict[str, Any] = {
        "timestamp": moment,
        "event": activity.event.value,
        "content-state": activity.state,
        **{name: value for name, value in optional.items() if value is not None},
    }
    if content.texts:
        alert = {
            "title": _text(content.title, content.title_loc_key, content.title_loc_args),
            "body": _text(content.body, content.loc_key, content.loc_args),
            "sound": content.sound,
        }
        said["alert"] = {name: text for name, text in alert.items() if text}
    return said


def _text(written: str, key: str | None, arguments: tuple[str, ...]) -> str | dict[str, Any]:
    return {"loc-key": key, "loc-args": list(arguments)} if key else written

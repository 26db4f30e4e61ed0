"""What Firebase is told: one message in the words of each of its platforms, without its target.

Source: Firebase, "REST Resource: projects.messages".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from booper.domain.content import Form, Priority
from booper.domain.outcome import Kind, Outcome
from booper.providers.apns_payload import aps
from booper.providers.fcm_target import to_many
from booper.providers.override import merged
from booper.providers.provider import NOTIFICATION_ID

if TYPE_CHECKING:
    from booper.domain.content import Content
    from booper.domain.delivery import Target
    from booper.providers.provider import Occasion

LIMIT = 4096  # bytes of notification and data
TOPIC_LIMIT = 2048  # the same, to all who listen to a topic
MAX_TTL = 28 * 86_400  # seconds; Google keeps nothing longer
_RESERVED = re.compile(r"from|message_type|google.*|gcm.*")
_TARGETS = ("token", "topic", "condition", "fid")


def request(content: Content, occasion: Occasion, *, validate_only: bool) -> dict[str, Any]:
    """The body of `messages:send`, raw override included, but no target in its `message`."""
    body: dict[str, Any] = {"message": message(content, occasion)}
    if validate_only:
        body["validate_only"] = True
    return merged(body, content.raw.get("fcm", {}))


def refusal(content: Content, body: dict[str, Any]) -> Outcome | None:
    """Why Google would never take this request, if so."""
    said = body.get("message")
    reason, status = "", 400
    if content.actual_form is Form.LIVE_ACTIVITY:
        reason = "live activities are Apple's: FCM has no device token for them"
    elif not isinstance(said, dict):
        reason = "raw.fcm leaves no message"
    elif taken := [field for field in _TARGETS if field in said]:
        reason = f"raw.fcm may not name a {taken[0]}: the device does"
    elif reserved := sorted(key for key in _data(said) if _RESERVED.fullmatch(key)):
        reason = f"FCM keeps the data key {reserved[0][:50]!r} to itself"
    elif (size := weight(said)) > LIMIT:
        reason, status = f"notification and data have {size} bytes, FCM takes {LIMIT}", 413
    return Outcome(Kind.FAILED, status, reason) if reason else None


def weight(said: dict[str, Any]) -> int:
    """The bytes that FCM's limits count."""
    counted = {key: said[key] for key in ("notification", "data") if key in said}
    return len(msgspec.json.encode(counted))


def too_big_for_topics(said: dict[str, Any]) -> bool:
    """Whether devices may get it and those who listen to topics may not."""
    return weight(said) > TOPIC_LIMIT


def refuse_topics(target: Target) -> Outcome | None:
    """The outcome of a topic or a condition that such a message is for."""
    if not to_many(target.token):
        return None
    reason = f"notification and data have too many bytes, FCM takes {TOPIC_LIMIT} to a topic"
    return Outcome(Kind.FAILED, 413, reason)


def message(content: Content, occasion: Occasion) -> dict[str, Any]:
    """The message without its target; data values are texts.

    FCM rings no phones: a voip message goes as data, at once, with its texts among them.
    """
    rings = content.actual_form is Form.VOIP
    notification = {
        key: value for key in ("title", "body", "image") if (value := getattr(content, key))
    }
    data = {key: _text(value) for key, value in content.data.items()}
    data.setdefault(NOTIFICATION_ID, occasion.id)
    if content.url:
        data.setdefault("url", content.url)
    if rings:
        data = {**notification, **data}
    shows = content.texts and not rings
    said: dict[str, Any] = {"android": _android(content, occasion, shows=shows)}
    if shows and notification:
        said["notification"] = notification
    said["data"] = data
    said["apns"] = _apns(content, occasion)
    said["webpush"] = _webpush(content, occasion)
    return said


def _android(content: Content, occasion: Occasion, *, shows: bool) -> dict[str, Any]:
    # A push that had to be sent twice replaces itself.
    key = content.collapse_key or occasion.id
    said: dict[str, Any] = {
        "priority": "HIGH" if content.priority is Priority.HIGH else "NORMAL",
        "ttl": f"{min(occasion.left(content.ttl), MAX_TTL)}s",
        "collapse_key": key,
    }
    if shows:
        optional = {
            "sound": content.sound,
            "notification_count": content.badge,
            "tag": key,
            "title_loc_key": content.title_loc_key,
            "title_loc_args": content.title_loc_args or None,
            "body_loc_key": content.loc_key,
            "body_loc_args": content.loc_args or None,
        }
        said["notification"] = {
            name: value for name, value in optional.items() if value is not None
        }
    return said


def _apns(content: Content, occasion: Occasion) -> dict[str, Any]:
    """What Apple's devices behind Firebase get; FCM itself adds the notification's texts."""
    shows = content.actual_form is Form.ALERT
    said: dict[str, Any] = {"content-available": 1}
    if shows:
        said = aps(content, occasion.created_at)
    if said.get("alert", {}).keys() <= {"title", "body"}:
        said.pop("alert", None)
    urgent = shows and content.priority is Priority.HIGH
    headers = {
        "apns-priority": "10" if urgent else "5",
        "apns-expiration": str(int(occasion.created_at + content.ttl) if content.ttl else 0),
    }
    if shows:
        headers["apns-collapse-id"] = content.collapse_key or occasion.id
    return {"headers": headers, "payload": {"aps": said}}


def _webpush(content: Content, occasion: Occasion) -> dict[str, Any]:
    urgency = "high" if content.priority is Priority.HIGH else "normal"
    headers = {"TTL": str(min(occasion.left(content.ttl), MAX_TTL)), "Urgency": urgency}
    said: dict[str, Any] = {"headers": headers}
    if content.url and content.url.startswith("https://"):  # Google takes no other link
        said["fcm_options"] = {"link": content.url}
    return said


def _data(said: dict[str, Any]) -> dict[str, Any]:
    data = said.get("data")
    return data if isinstance(data, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()

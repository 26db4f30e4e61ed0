"""Judges a message to FCM by what its fields say; its form is already right (`form`).

Google documents each check but not their order, and counts bytes in ways of its own; that the
JSON of notification and data counts is our reading. Source: Firebase, "FCM error codes".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from booper.simulators.fcm import errors
from booper.simulators.fcm.errors import Wrong

if TYPE_CHECKING:
    from booper.simulators.fcm.project import Project
    from booper.simulators.serving.judging import Response

LIMIT = 4096
TOPIC_LIMIT = 2048
MAX_TTL = 28 * 86_400
TARGETS = ("token", "fid", "topic", "condition")
_NAME = r"[a-zA-Z0-9\-_.~%]+"
_TOPIC = re.compile(rf"(?:/topics/)?{_NAME}")
_LISTENS = re.compile(rf"'{_NAME}'\s+in\s+topics")
_TOKEN = re.compile(r"[A-Za-z0-9_:.-]{16,4096}")
_FID = re.compile(r"[A-Za-z0-9_-]{16,100}")
_RESERVED = re.compile(r"from|message_type|google.*|gcm.*")
_REDUCE = re.compile(r"!x|\(x\)|x(?:&&|\|\|)x")


def target_of(message: dict[str, Any]) -> str:
    """Whom it is for, as Booper spells it; raises Wrong unless there is exactly one."""
    found = [name for name in TARGETS if name in message]
    if len(found) > 1:
        sentence = f"oneof field 'target' is already set. Cannot set '{found[1]}'"
        raise Wrong("message", f"Invalid value at 'message' (oneof), {sentence}")
    if not found:
        return ""
    (name,) = found
    value = str(message[name])
    if name == "topic":
        value = value.removeprefix("/topics/")
    return value if name == "token" else f"{name}:{value}"


def refusal(message: dict[str, Any], project: Project) -> Response | None:
    """What Google has against a well-formed message, if anything."""
    return (
        _target(message)
        or _data(message)
        or _android(message)
        or _apns(message)
        or _web(message)
        or _size(message)
        or _device(message, project)
    )


def _target(message: dict[str, Any]) -> Response | None:
    match message:
        case {"topic": topic}:
            return None if _TOPIC.fullmatch(topic) else _no("Invalid topic name")
        case {"condition": condition}:
            return None if is_condition(condition) else _no("Invalid condition expression")
        case {"token": token}:
            return (
                None
                if _TOKEN.fullmatch(token)
                else _no("The registration token is not a valid FCM registration token")
            )
        case {"fid": fid}:
            return None if _FID.fullmatch(fid) else _no("The installation id is not valid")
        case _:
            return _no("Recipient of the message is not set.")


def is_condition(text: str) -> bool:
    """Whether it is an expression of at most five topics: reduced step by step to one value."""
    shorter = _LISTENS.sub("x", text)
    if "x" in _LISTENS.sub("", text) or shorter.count("x") > 5:
        return False
    shorter = re.sub(r"\s+", "", shorter)
    if len(shorter) > 1000:
        return False
    while True:
        text, shorter = shorter, _REDUCE.sub("x", shorter)
        if text == shorter:
            return text == "x"


def _data(message: dict[str, Any]) -> Response | None:
    for place in (message, message.get("android", {})):
        for key in place.get("data", {}):
            if not key or _RESERVED.fullmatch(key):
                return _no(f"Invalid data payload key: {key}")
    return None


def _android(message: dict[str, Any]) -> Response | None:
    android = message.get("android", {})
    if float(android.get("ttl", "0s")[:-1]) > MAX_TTL:
        return _no("Invalid ttl: it must be between 0 and 4 weeks")
    notification = android.get("notification", {})
    for part in ("title", "body"):
        if notification.get(f"{part}_loc_args") and not notification.get(f"{part}_loc_key"):
            return _no(f"{part}_loc_args needs a {part}_loc_key")
    return None


def _apns(message: dict[str, Any]) -> Response | None:
    apns = message.get("apns", {})
    headers = {name.lower(): value for name, value in apns.get("headers", {}).items()}
    if headers.get("apns-priority", "10") not in ("10", "5", "1"):
        return _no("Invalid APNs header: apns-priority")
    if not re.fullmatch(r"[0-9]{1,12}", headers.get("apns-expiration", "0")):
        return _no("Invalid APNs header: apns-expiration")
    if len(headers.get("apns-collapse-id", "").encode()) > 64:
        return _no("Invalid APNs header: apns-collapse-id")
    if "payload" in apns and not isinstance(apns["payload"].get("aps", {}), dict):
        return _no("Invalid APNs payload: aps")
    return None


def _web(message: dict[str, Any]) -> Response | None:
    web = message.get("webpush", {})
    headers = {name.lower(): value for name, value in web.get("headers", {}).items()}
    ttl = headers.get("ttl", "0")
    if not re.fullmatch(r"[0-9]{1,12}", ttl) or int(ttl) > MAX_TTL:
        return _no("Invalid Web Push header: TTL")
    if headers.get("urgency", "normal") not in ("very-low", "low", "normal", "high"):
        return _no("Invalid Web Push header: Urgency")
    link = web.get("fcm_options", {}).get("link")
    if link is not None and not link.startswith("https://"):
        return _no("WebpushFcmOptions.link must be an HTTPS URL")
    return None


def _size(message: dict[str, Any]) -> Response | None:
    counted = {key: message[key] for key in ("notification", "data") if key in message}
    to_many = "topic" in message or "condition" in message
    size = len(msgspec.json.encode(counted))
    return _no("Android message is too big") if size > (TOPIC_LIMIT if to_many else LIMIT) else None


def _device(message: dict[str, Any], project: Project) -> Response | None:
    if "topic" in message or "condition" in message:
        return None
    code = project.refusal(target_of(message))
    return errors.code(code) if code else None


def _no(sentence: str) -> Response:
    return errors.code("INVALID_ARGUMENT", sentence)

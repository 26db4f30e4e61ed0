"""The ways in which ntfy is told what to publish, and the message it makes of them."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from booper.simulators.ntfy.errors import Refused

if TYPE_CHECKING:
    from booper.simulators.http.call import Call

MESSAGE_LIMIT = 4096  # bytes; what is longer becomes an attachment
JSON_LIMIT = 2 * MESSAGE_LIMIT
TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
_PRIORITIES = {
    **{str(number): number for number in range(1, 6)},
    "min": 1,
    "low": 2,
    "default": 3,
    "high": 4,
    "urgent": 5,
    "max": 5,
}


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a subscriber would get."""

    id: str
    time: int
    expires: int
    event: str
    topic: str
    message: str
    title: str = ""
    priority: int = 0
    tags: list[str] = []
    click: str = ""
    icon: str = ""
    attachment: dict[str, str] = {}
    encoding: str = ""
    sequence_id: str = ""


class Publish(msgspec.Struct):
    """The JSON way; what ntfy knows besides is let through unread."""

    topic: str = ""
    title: str = ""
    message: str = ""
    priority: int = 0
    tags: list[str] = []
    click: str = ""
    icon: str = ""
    attach: str = ""
    sequence_id: str = ""


publish = msgspec.json.Decoder(Publish)
_NAMES = {
    "title": ("x-title", "title", "t"),
    "message": ("x-message", "message", "m"),
    "priority": ("x-priority", "priority", "prio", "p"),
    "tags": ("x-tags", "tags", "tag", "ta"),
    "click": ("x-click", "click"),
    "icon": ("x-icon", "icon"),
    "attach": ("x-attach", "attach", "a"),
    "unifiedpush": ("x-unifiedpush", "unifiedpush", "up"),
    "sequence_id": ("x-sequence-id", "sequence-id", "sid"),
}


def parameters(call: Call) -> dict[str, Any]:
    """What headers and query say, headers first; nothing for what they do not say."""
    query = {key.lower(): value for key, value in call.query.items()}
    found: dict[str, Any] = {}
    for field, names in _NAMES.items():
        said = [text for name in names if (text := call.header(name) or query.get(name))]
        if said:
            found[field] = said[0].strip()
    if "tags" in found:
        found["tags"] = [tag.strip() for tag in found["tags"].split(",")]
    return found


def message(fields: dict[str, Any], now: int, *, pushed: bool) -> Message:
    priority = _PRIORITIES.get(str(fields.get("priority") or 3).lower())
    if priority is None:
        raise Refused(40007)
    attach, icon = fields.get("attach", ""), fields.get("icon", "")
    if attach and not attach.startswith(("http://", "https://")):
        raise Refused(40013)
    if icon and not icon.startswith(("http://", "https://")):
        raise Refused(40021)
    text, encoding = _text(fields, pushed=pushed)
    sequence = fields.get("sequence_id", "")
    if sequence and not TOPIC.fullmatch(sequence):
        raise Refused(40000)
    return Message(
        id=uuid4().hex[:12],
        time=now,
        expires=now + 43_200,
        event="message",
        topic=fields["topic"],
        message=text or "triggered",
        title=fields.get("title", ""),
        priority=0 if priority == 3 else priority,
        tags=fields.get("tags", []),
        click=fields.get("click", ""),
        icon=icon,
        attachment={"name": attach.rpartition("/")[2], "url": attach} if attach else {},
        encoding=encoding,
        sequence_id=sequence,
    )


def _text(fields: dict[str, Any], *, pushed: bool) -> tuple[str, str]:
    """The message and its encoding: what cannot be read is passed on as it is to UnifiedPush."""
    said = fields.get("message")
    body: bytes = said.encode() if said else fields.get("body", b"")
    if len(body) > MESSAGE_LIMIT:
        raise Refused(41301)  # this server takes no attachments
    try:
        return body.decode().strip(), ""
    except UnicodeDecodeError:
        if not pushed:
            raise Refused(40011) from None
    return base64.b64encode(body).decode(), "base64"

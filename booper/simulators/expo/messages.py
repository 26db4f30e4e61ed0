"""What Expo takes for a message: the fields and their types; one push per recipient. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

RECIPIENTS = 100  # of one request
LIMIT = 4096  # bytes of a message
TOKEN = re.compile(
    r"Expo(?:nent)?PushToken\[[^\[\]\s]{1,256}\]"
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)


class BadMessages(ValueError):
    """What is wrong with a request to send, for a person."""


class Push(NamedTuple):
    """One message to one recipient; `message` is as it was sent, without `to`."""

    to: str
    message: dict[str, Any]


class _Sound(msgspec.Struct, forbid_unknown_fields=True):
    critical: bool = False
    name: str | None = None
    volume: Annotated[float, Meta(ge=0, le=1)] = 1.0


class _Rich(msgspec.Struct, forbid_unknown_fields=True):
    image: str | None = None


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    """Every field that Expo's own SDKs know, and no other."""

    to: str | Annotated[list[str], Meta(min_length=1)]
    title: str | None = None
    subtitle: str | None = None
    body: str | None = None
    data: dict[str, Any] | None = None
    sound: str | _Sound | None = None
    ttl: Annotated[float, Meta(ge=0)] | None = None
    expiration: Annotated[float, Meta(ge=0)] | None = None
    priority: Literal["default", "normal", "high"] | None = None
    interruption_level: Literal["active", "critical", "passive", "time-sensitive"] | None = (
        msgspec.field(name="interruptionLevel", default=None)
    )
    badge: Annotated[int, Meta(ge=0)] | None = None
    channel_id: str | None = msgspec.field(name="channelId", default=None)
    icon: str | None = None
    rich_content: _Rich | None = msgspec.field(name="richContent", default=None)
    category_id: str | None = msgspec.field(name="categoryId", default=None)
    category: str | None = msgspec.field(name="_category", default=None)
    mutable_content: bool | None = msgspec.field(name="mutableContent", default=None)
    collapse_id: str | None = msgspec.field(name="collapseId", default=None)
    tag: str | None = None
    thread_id: str | None = msgspec.field(name="threadId", default=None)
    target_content_id: str | None = msgspec.field(name="targetContentId", default=None)
    relevance_score: float | None = msgspec.field(name="relevanceScore", default=None)
    filter_criteria: str | None = msgspec.field(name="filterCriteria", default=None)
    content_available: bool | None = msgspec.field(name="contentAvailable", default=None)
    content_available_old: bool | None = msgspec.field(name="_contentAvailable", default=None)
    display: bool | None = msgspec.field(name="_displayInForeground", default=None)


def valid(said: Any) -> list[Push]:
    """A push per recipient, in order; BadMessages says which message is wrong and how."""
    messages = said if isinstance(said, list) else [said]
    if not messages:
        raise BadMessages("There is no message.")
    pushes: list[Push] = []
    for number, message in enumerate(messages):
        try:
            to = msgspec.convert(message, _Message).to
        except (msgspec.ValidationError, RecursionError) as error:
            raise BadMessages(f"[{number}]: {error}") from None
        rest = {key: value for key, value in message.items() if key != "to"}
        pushes += [Push(device, rest) for device in ([to] if isinstance(to, str) else to)]
    return pushes


def too_big(message: dict[str, Any]) -> bool:
    """Whether it is more than Apple and Google take."""
    return len(msgspec.json.encode(message)) > LIMIT

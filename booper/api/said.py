"""Said: what a caller wants to notify, however it was put: as JSON, or as the plain text that
`curl -d` sends, with the rest in the query or in headers.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads it
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET, Meta, UnsetType
from quart import request
from werkzeug.exceptions import UnsupportedMediaType

from booper.api import gate
from booper.domain import audience
from booper.domain.audience import Audience
from booper.domain.content import Content
from booper.domain.errors import Invalid, Malformed
from booper.domain.notification import MAX_AHEAD
from booper.providers import provider_named

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

JSON, TEXT, FORM = "application/json", "text/plain", "application/x-www-form-urlencoded"
Short = Annotated[str, Meta(max_length=2048)]
_content = attrgetter(*Content.__struct_fields__)

# Headers that scripts written for ntfy send; each also with `X-` in front.
_HEADERS = {
    "Title": "title",
    "Subtitle": "subtitle",
    "Priority": "priority",
    "Tags": "tags",
    "Click": "url",
    "Url": "url",
    "Attach": "image",
    "Ttl": "ttl",
    "Collapse-Key": "collapse_key",
    "Scheduled-At": "scheduled_at",
}
HEADERS = ("X-Title", "X-Priority", "X-Tags", "X-Click")

# ntfy's five degrees and their names → (priority, interruption).
_DEGREES = {
    "normal": ("normal", None),
    "min": ("normal", "passive"),
    "low": ("normal", "passive"),
    "default": ("high", None),
    "urgent": ("high", "time-sensitive"),
    "max": ("high", "time-sensitive"),
    "1": ("normal", "passive"),
    "2": ("normal", "passive"),
    "3": ("high", None),
    "4": ("high", "time-sensitive"),
    "5": ("high", "time-sensitive"),
}


class Notify(Content, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said, and to whom: exactly one audience. `app_id`: in which app, for people with
    several; without one, people speak to public channels. `scheduled_at`: at most 30 days ahead."""

    # The fields of an Audience.
    channel: audience.Channel | None = None
    channels: audience.Channels | None = None
    user_id: audience.Named | None = None
    identifier: audience.Named | None = None
    devices: audience.Devices | None = None
    everyone: bool = False

    app_id: Annotated[str, Meta(max_length=64)] | None = None
    scheduled_at: Annotated[datetime, Meta(tz=True)] | None = None


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The same in a URL: under what the body says. `tags`: words with commas between."""

    channel: Short | UnsetType = UNSET
    app_id: Short | UnsetType = UNSET
    user_id: Short | UnsetType = UNSET
    identifier: Short | UnsetType = UNSET
    title: Short | UnsetType = UNSET
    subtitle: Short | UnsetType = UNSET
    body: Short | UnsetType = UNSET
    priority: Short | UnsetType = UNSET
    tags: Short | UnsetType = UNSET
    url: Short | UnsetType = UNSET
    image: Short | UnsetType = UNSET
    ttl: int | UnsetType = UNSET
    collapse_key: Short | UnsetType = UNSET
    scheduled_at: Short | UnsetType = UNSET


class Said(msgspec.Struct, frozen=True):
    """What was said, checked. `content` and `named` (the audience) are JSON; times in Unix
    seconds."""

    audience: Audience
    named: str
    content: str
    ttl: int
    app_id: str | None
    scheduled_at: float | None


async def read(query: Asked) -> Notify:
    """The whole of it, from the body, the query and (for plain text) the headers."""
    data: bytes = await request.get_data(cache=False, as_text=False)  # type: ignore[assignment]
    under: dict[str, Any] = {}
    if request.query_string:
        given = msgspec.structs.asdict(query)
        under = {name: value for name, value in given.items() if value is not UNSET}
    kind = request.mimetype
    if kind == JSON:
        if not under:
            return gate.decode(data, Notify)
        tree = gate.tree(data)
        if isinstance(tree, dict):
            tree = _plain(under) | tree
        return gate.convert(tree, Notify)
    if kind not in (TEXT, FORM) and (kind or data):  # without a body it needs no type
        raise UnsupportedMediaType("Send application/json or text/plain.")
    fields = _headers(request.headers) | under
    text = _text(data)
    form = _form(text) if kind == FORM else None
    if form is None:
        form = {"body": line} if (line := text.removesuffix("\n")) else {}
    return gate.convert(_plain(fields | form), Notify)


def checked(notify: Notify, now: float) -> Said:
    """What it says, or Invalid."""
    content = Content(*_content(notify))
    content.checked()
    for provider in content.raw:
        provider_named(provider, "/raw")
    at = None
    if notify.scheduled_at is not None:
        at = notify.scheduled_at.timestamp()
        if at > now + MAX_AHEAD:
            raise Invalid(
                "It can be scheduled 30 days ahead at most.",
                code="scheduled_too_far",
                pointer="/scheduled_at",
            )
        at = at if at > now else None
    text = msgspec.json.encode(content).decode()
    whom, named = audience.spelled(notify)
    return Said(whom, named, text, content.ttl, notify.app_id, at)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a URL or of headers, with the values that JSON would have."""
    found = dict(fields)
    if (degree := found.get("priority")) in _DEGREES:
        priority, interruption = _DEGREES[degree]
        found["priority"] = priority
        if interruption is not None:
            found.setdefault("interruption", interruption)
    if (tags := found.pop("tags", None)) is not None:
        words = [word for part in tags.split(",") if (word := part.strip())]
        if words:
            found["data"] = {"tags": words}
    if isinstance(ttl := found.get("ttl"), str):
        found["ttl"] = int(ttl) if ttl.isascii() and ttl.isdigit() and len(ttl) < 10 else ttl
    return found


def _headers(headers: Headers) -> dict[str, Any]:
    found = {}
    for header, field in _HEADERS.items():
        value = headers.get(f"X-{header}", headers.get(header))
        if value is not None:
            # A header's bytes arrive as latin-1; what people write is UTF-8.
            found[field] = _text(value.encode("latin-1", "replace"))
    return found


def _text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Malformed("It is not valid UTF-8 text.", code="bad_utf8") from None
    if "\0" in text:
        raise Malformed("A text holds the character NUL.", code="bad_text")
    return text


def _form(text: str) -> dict[str, Any] | None:
    """The fields of a form; None if it is a text that curl merely calls a form."""
    names = Asked.__struct_fields__
    if "=" not in text:
        return None
    pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
    if not pairs or any(name not in names for name, _ in pairs):
        return None
    if len(dict(pairs)) < len(pairs):
        raise Malformed("A field stands twice in the form.", code="duplicate_key")
    return {name: _text(value.encode("utf-8", "surrogateescape")) for name, value in pairs}

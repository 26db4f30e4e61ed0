"""Channel: a public name that devices subscribe to and anyone may notify."""

from __future__ import annotations

import re
import uuid

from booper.domain.errors import Invalid

UUID_LENGTH = 36
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def channel_name(text: str, pointer: str = "/channel") -> str:
    """The name in its one spelling (lower case), or Invalid; it fits in a path segment."""
    if not _NAME.fullmatch(text):
        raise Invalid(
            "A channel name has 1 to 64 letters, digits, dots, dashes or underscores "
            "and starts with a letter or digit.",
            code="invalid_channel_name",
            pointer=pointer,
        )
    return text.lower()


def is_id(text: str) -> bool:
    """Whether a channel so named is named by its id; no channel's name looks like one."""
    if len(text) != UUID_LENGTH:
        return False
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def new_name(text: str, pointer: str = "/channel") -> str:
    """The name of a channel to be made, or Invalid: as `channel_name`, and not like an id."""
    name = channel_name(text, pointer)
    if is_id(name):
        raise Invalid(
            "A channel name cannot look like an id.", code="invalid_channel_name", pointer=pointer
        )
    return name

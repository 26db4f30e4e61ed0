"""Channel: a public name that devices subscribe to and anyone may notify."""

from __future__ import annotations

import re

from booper.domain.errors import Invalid

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

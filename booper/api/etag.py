"""ETag and If-Match on configuration: whoever changes a thing may say which state of it they saw.

RFC 9110 §8.8.3, §13.1.1. A tag is the version of the row; without If-Match the last one wins.
"""

from __future__ import annotations

from typing import NamedTuple

from quart import request

from booper.domain.errors import Stale


def tag(version: int) -> str:
    """The tag of that version."""
    return f'"{version}"'


class Expected(NamedTuple):
    """What a caller expects to find; taken from the request, checked in the transaction."""

    tags: frozenset[str] | None

    def check(self, version: int) -> None:
        """Nothing if that is what is expected, else Stale."""
        if self.tags is not None and tag(version) not in self.tags:
            raise Stale("It has changed since you looked: get it again.")


def expected() -> Expected:
    """The request's If-Match."""
    text = request.headers.get("If-Match")
    if text is None or text.strip() == "*":
        return Expected(None)
    return Expected(frozenset(part.strip() for part in text.split(",")))

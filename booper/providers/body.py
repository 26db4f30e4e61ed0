"""A provider's answer is input like any other: read strictly, and never a reason to crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from msgspec.json import Decoder

T = TypeVar("T")


def decoded(decoder: Decoder[T], body: bytes) -> T | None:
    """The body as the decoder's type; None for anything that is not: junk, broken UTF-8, depth."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None

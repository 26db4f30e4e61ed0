"""A provider's answer is input like any other: read strictly, and never a reason to crash."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from msgspec.json import Decoder

T = TypeVar("T")
UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")  # escaped; PostgreSQL does not store it


def decoded(decoder: Decoder[T], body: bytes) -> T | None:
    """The body as the decoder's type, without NULs; None for anything else: junk, broken UTF-8,
    depth."""
    if b"\\u0000" in body:
        body = _NUL.sub(rb"\1", body)
    try:
        return decoder.decode(body)
    except UNREADABLE:
        return None

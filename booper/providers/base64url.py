"""Base64url (RFC 4648 §5) as Web Push writes its keys: without padding, and in one spelling."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode


def encoded(data: bytes) -> str:
    """The text of `data`, without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decoded(text: str) -> bytes:
    """The bytes of `text`, padded or not; ValueError for anything that is not base64url."""
    bare = text.rstrip("=")
    if len(text) - len(bare) > 2 or not bare.isascii() or "+" in bare or "/" in bare:
        raise ValueError("not base64url")
    try:
        data = urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    if len(data) != len(bare) * 3 // 4:  # the decoder skips what is not of its alphabet
        raise ValueError("not base64url")
    return data

"""What Expo's two requests have in common: headers, and compression above a kibibyte."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from booper.wire import Request

if TYPE_CHECKING:
    from booper.providers.provider import AccessToken

COMPRESSED = 1024  # bytes of a body above which Expo's own SDK compresses it
Headers = tuple[tuple[str, str], ...]


def headers(access: AccessToken) -> Headers:
    """What every request has."""
    fixed = (("accept", "application/json"), ("content-type", "application/json"))
    key = access.text.reveal()
    return (*fixed, ("authorization", f"Bearer {key}")) if key else fixed


def post(url: str, own: Headers, body: bytes) -> Request:
    """The request, compressed where that is worth it; the same bytes for the same body."""
    if len(body) <= COMPRESSED:
        return Request("POST", url, own, body)
    packed = gzip.compress(body, compresslevel=1, mtime=0)
    return Request("POST", url, (*own, ("content-encoding", "gzip")), packed)

"""The two HTTP/2 frames that the simulator writes itself.

The `h2` package takes its own SETTINGS as a law from the acknowledgement on and closes for good
after its own GOAWAY. A provider is milder: too many streams are refused one by one, and streams
below the last one named in GOAWAY are still answered.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CONCURRENT_STREAMS = 3
INITIAL_WINDOW_SIZE = 4
MAX_HEADER_LIST_SIZE = 6

_SETTINGS = 4
_GOAWAY = 7


def settings(values: Mapping[int, int]) -> bytes:
    """A SETTINGS frame (RFC 9113, 6.5)."""
    payload = b"".join(struct.pack("!HL", *item) for item in values.items())
    return _header(_SETTINGS, payload) + payload


def goaway(last_stream_id: int, code: int, debug: bytes = b"") -> bytes:
    """A GOAWAY frame (RFC 9113, 6.8)."""
    payload = struct.pack("!LL", last_stream_id, code) + debug
    return _header(_GOAWAY, payload) + payload


def _header(kind: int, payload: bytes) -> bytes:
    """The nine bytes in front of a frame on stream 0 without flags."""
    return struct.pack("!BHBBL", len(payload) >> 16, len(payload) & 0xFFFF, kind, 0, 0)

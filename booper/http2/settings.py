"""SETTINGS (RFC 9113 section 6.5.2): what the peer allows, kept valid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.http2 import frames
from booper.http2.errors import ErrorCode, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER_TABLE_SIZE = 0x1
ENABLE_PUSH = 0x2
MAX_CONCURRENT_STREAMS = 0x3
INITIAL_WINDOW_SIZE = 0x4
MAX_FRAME_SIZE = 0x5
MAX_HEADER_LIST_SIZE = 0x6


class PeerSettings:
    """What the peer asked for last, beginning with the RFC's defaults."""

    __slots__ = ("frame_size", "header_list", "streams", "table_size", "window")

    def __init__(self) -> None:
        self.table_size = 4096
        self.streams = 2**32 - 1
        self.window = frames.DEFAULT_WINDOW
        self.frame_size = frames.DEFAULT_FRAME_SIZE
        self.header_list = 2**32 - 1

    def apply(self, payload: bytes, *, may_push: bool) -> Iterator[tuple[int, int]]:
        """Take the values in their order; yields (setting, value) after each that we use.

        `may_push` False: the peer is a server and must not enable push. Raises ProtocolError for
        a value outside the RFC's range; unknown settings are ignored.
        """
        for key, value in frames.read_setting(payload):
            if key == HEADER_TABLE_SIZE:
                self.table_size = value
            elif key == MAX_CONCURRENT_STREAMS:
                self.streams = value
            elif key == INITIAL_WINDOW_SIZE:
                if value > frames.LARGEST_WINDOW:
                    raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, f"initial window {value}")
                self.window = value
            elif key == MAX_FRAME_SIZE:
                if not frames.DEFAULT_FRAME_SIZE <= value < 1 << 24:
                    raise ProtocolError(ErrorCode.PROTOCOL_ERROR, f"frame size {value}")
                self.frame_size = value
            elif key == MAX_HEADER_LIST_SIZE:
                self.header_list = value
            else:
                if key == ENABLE_PUSH and value > (1 if may_push else 0):
                    raise ProtocolError(ErrorCode.PROTOCOL_ERROR, f"enable push {value}")
                continue
            yield key, value

"""What can go wrong on an HTTP/2 connection, and who is at fault."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

Fault = Literal["peer", "local"]


class ErrorCode(IntEnum):
    """RFC 9113 section 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


def code_name(code: int) -> str:
    """The RFC's name of an error code; an unknown one in hexadecimal."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"0x{code:x}"


class ProtocolError(Exception):
    """The connection cannot go on: `fault` says who broke the rules, `code` is the GOAWAY's."""

    def __init__(self, code: ErrorCode, detail: str, *, fault: Fault = "peer") -> None:
        super().__init__(f"{code.name} ({fault}): {detail}")
        self.code = code
        self.detail = detail
        self.fault: Fault = fault


class StreamError(Exception):
    """One stream cannot go on; the connection can. Never leaves this package."""

    def __init__(self, code: ErrorCode, detail: str) -> None:
        super().__init__(f"{code.name}: {detail}")
        self.code = code
        self.detail = detail

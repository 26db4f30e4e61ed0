"""HTTP/2 frames (RFC 9113 sections 4 and 6): their numbers, their header, and how to write each.

Reading is done where the bytes are (`client.py`, `server.py`, `connection.py`): a frame object
per frame would cost more than everything else a request costs.
"""

from __future__ import annotations

from struct import Struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA = 0x0
HEADERS = 0x1
PRIORITY = 0x2
RST_STREAM = 0x3
SETTINGS = 0x4
PUSH_PROMISE = 0x5
PING = 0x6
GOAWAY = 0x7
WINDOW_UPDATE = 0x8
CONTINUATION = 0x9

ACK = 0x1
END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITISED = 0x20

HEADER_SIZE = 9
DEFAULT_WINDOW = 65_535
DEFAULT_FRAME_SIZE = 16_384
LARGEST_WINDOW = 2**31 - 1
ID_MASK = 0x7FFF_FFFF

# Length as 1 + 2 bytes, type and flags as one number, stream id with its reserved bit. One number
# for type and flags makes the commonest frames one comparison each.
read_header = Struct(">BHHI").unpack_from
read_u32 = Struct(">I").unpack_from
read_setting = Struct(">HI").iter_unpack
_HEADER = Struct(">IBI").pack
_TWO_U32 = Struct(">II").pack

ACK_SETTINGS = b"\0\0\0\x04\x01\0\0\0\0"
HEADERS_WHOLE = HEADERS << 8 | END_HEADERS | END_STREAM
HEADERS_OPEN = HEADERS << 8 | END_HEADERS
DATA_LAST = DATA << 8 | END_STREAM


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame; the caller keeps the payload within the peer's SETTINGS_MAX_FRAME_SIZE."""
    return _HEADER(len(payload) << 8 | kind, flags, stream) + payload


def settings(values: dict[int, int]) -> bytes:
    payload = b"".join(
        key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in values.items()
    )
    return frame(SETTINGS, 0, 0, payload)


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


def rst_stream(stream: int, code: int) -> bytes:
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def goaway(last_stream: int, code: int, detail: str = "") -> bytes:
    return frame(GOAWAY, 0, 0, _TWO_U32(last_stream, code) + detail.encode()[:256])


def ping(payload: bytes, *, ack: bool = False) -> bytes:
    return frame(PING, ACK if ack else 0, 0, payload)


def headers(stream: int, block: bytes, *, end: bool, largest: int) -> bytes:
    """HEADERS, with as many CONTINUATION frames as a block above `largest` bytes needs."""
    flags = END_STREAM if end else 0
    if len(block) <= largest:
        return frame(HEADERS, flags | END_HEADERS, stream, block)
    pieces = [block[at : at + largest] for at in range(0, len(block), largest)]
    last = len(pieces) - 1
    return b"".join(
        frame(
            CONTINUATION if number else HEADERS,
            (0 if number else flags) | (END_HEADERS if number == last else 0),
            stream,
            piece,
        )
        for number, piece in enumerate(pieces)
    )

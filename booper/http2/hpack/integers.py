"""Integers and strings of HPACK (RFC 7541 section 5)."""

from __future__ import annotations

from booper.http2.errors import ErrorCode, ProtocolError
from booper.http2.hpack import huffman

# No number in a block of at most a few ten thousand bytes needs more; bounds the reading too.
_LONGEST = 4


def write_integer(value: int, prefix: int, first: int) -> bytes:
    """`value` with a prefix of `prefix` bits, whose remaining high bits are those of `first`."""
    mask = (1 << prefix) - 1
    if value < mask:
        return bytes((first | value,))
    out = bytearray((first | mask,))
    value -= mask
    while value >= 128:
        out.append((value & 127) | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_string(value: bytes) -> bytes:
    """`value` without Huffman coding: some bytes more on the wire, far cheaper in Python."""
    return write_integer(len(value), 7, 0) + value


def read_integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """(value, position after it). IndexError where the block ends too early."""
    value = block[at] & mask
    at += 1
    if value < mask:
        return value, at
    for shift in range(0, 7 * _LONGEST, 7):
        byte = block[at]
        at += 1
        value += (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ProtocolError(ErrorCode.COMPRESSION_ERROR, "integer too long")


def read_string(block: bytes, at: int) -> tuple[bytes, int]:
    """(string, position after it). IndexError where the block ends too early."""
    first = block[at]
    if first & 127 != 127:  # nearly always
        length, at = first & 127, at + 1
    else:
        length, at = read_integer(block, at, 127)
    end = at + length
    if end > len(block):
        raise IndexError
    raw = block[at:end]
    return (huffman.decode(raw) if first & 0x80 else raw), end

"""COPY in PostgreSQL's binary format, for rows that differ in one number alone.

Source: PostgreSQL, "COPY", section "Binary Format". All integers are eight bytes long here, as the
columns of Booper's tables are.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_WIDTH = 8  # bytes of a number


async def source(numbers: Sequence[int], alike: Sequence[object]) -> AsyncIterator[bytes]:
    """The rows in one piece, as asyncpg takes them."""
    yield rows(numbers, alike)


def rows(numbers: Sequence[int], alike: Sequence[object]) -> bytes:
    """A row for each number: the number, and then what is alike (int, float, str or None).

    Raises TypeError for a value of another kind, struct.error for a number beyond 64 bits.
    """
    begin = struct.pack(">hi", 1 + len(alike), _WIDTH)
    end = b"".join(map(_field, alike))
    packed = struct.pack(f">{len(numbers)}q", *numbers)
    each = [packed[at : at + _WIDTH] for at in range(0, len(packed), _WIDTH)]
    body = begin + (end + begin).join(each) + end if each else b""
    return _HEADER + body + _TRAILER


def _field(value: object) -> bytes:
    """The length of a value in bytes, and the value; -1 and nothing for NULL."""
    match value:
        case None:
            return b"\xff\xff\xff\xff"
        case int():
            data = struct.pack(">q", value)
        case float():
            data = struct.pack(">d", value)
        case str():
            data = value.encode()
        case _:
            raise TypeError(f"no column is a {type(value).__name__}")
    return struct.pack(">i", len(data)) + data

"""Reading header blocks: any legal encoder's, within bounds, table kept in step."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from booper.http2.errors import ErrorCode, ProtocolError, StreamError
from booper.http2.hpack import static
from booper.http2.hpack.integers import read_integer, read_string
from booper.http2.hpack.static import TABLE

if TYPE_CHECKING:
    from booper.wire import Header

_OVERHEAD = 32  # RFC 7541 section 4.1: what an entry counts beyond its bytes


class Decoder:
    """The peer's encoder, mirrored. One per connection and direction.

    `limit` is what we allow the dynamic table to hold (SETTINGS_HEADER_TABLE_SIZE, once it is
    acknowledged), `list_limit` how large a decoded list may be.
    """

    def __init__(self, limit: int = 4096, list_limit: int = 65_536) -> None:
        self._table: deque[Header] = deque()
        self._held = 0
        self._size = limit
        self._limit = limit
        self._list_limit = list_limit
        self.changes = 0
        """Moves whenever the dynamic table changes: what was read before may read differently."""

    def restrict(self, limit: int) -> None:
        """Our smaller SETTINGS_HEADER_TABLE_SIZE was acknowledged: from now on it holds.

        The peer ought to say so at the start of its next block; one that forgets does no harm,
        because an entry it believes to have is then simply an error.
        """
        self._limit = limit
        if self._size > limit:
            self._resize(limit)

    def decode(self, block: bytes) -> tuple[Header, ...]:
        """The header list of one complete block.

        ProtocolError: not HPACK, the connection is lost. StreamError: too long a list, but the
        table is in step and the connection may go on.
        """
        try:
            return self._decode(block)
        except IndexError:
            raise ProtocolError(ErrorCode.COMPRESSION_ERROR, "header block cut short") from None

    def _decode(self, block: bytes) -> tuple[Header, ...]:
        fields: list[Header] = []
        at = self._updates(block)
        end = len(block)
        room = self._list_limit
        while at < end:
            byte = block[at]
            if byte & 0x80:
                if byte != 0xFF:  # numbers of one byte are read in place, here and below
                    index, at = byte & 0x7F, at + 1
                else:
                    index, at = read_integer(block, at, 0x7F)
                field = TABLE[index] if 0 < index <= static.SIZE else self._entry(index)
            elif byte & 0xE0 == 0x20:
                raise ProtocolError(ErrorCode.COMPRESSION_ERROR, "size update after a field")
            else:
                kept = byte & 0x40
                index, at = read_integer(block, at, 0x3F if kept else 0x0F)
                if index:
                    name = self._entry(index)[0]
                else:
                    name, at = read_string(block, at)
                value, at = read_string(block, at)
                field = (name, value)
                if kept:
                    self._insert(field)
            room -= len(field[0]) + len(field[1]) + _OVERHEAD
            if room >= 0:
                fields.append(field)
        if room < 0:
            raise StreamError(ErrorCode.ENHANCE_YOUR_CALM, "header list too long")
        return tuple(fields)

    def _updates(self, block: bytes) -> int:
        """Dynamic table size updates, which may only stand in front. Where the fields begin."""
        at = 0
        while at < len(block) and block[at] & 0xE0 == 0x20:
            size, at = read_integer(block, at, 0x1F)
            if size > self._limit:
                raise ProtocolError(ErrorCode.COMPRESSION_ERROR, f"table size {size} not allowed")
            self._resize(size)
        return at

    def _entry(self, index: int) -> Header:
        if index <= static.SIZE:
            if not index:
                raise ProtocolError(ErrorCode.COMPRESSION_ERROR, "index 0")
            return static.TABLE[index]
        try:
            return self._table[index - static.SIZE - 1]
        except IndexError:
            raise ProtocolError(ErrorCode.COMPRESSION_ERROR, f"no entry {index}") from None

    def _insert(self, field: Header) -> None:
        self._table.appendleft(field)
        self._held += len(field[0]) + len(field[1]) + _OVERHEAD
        self.changes += 1
        self._evict()

    def _resize(self, size: int) -> None:
        self._size = size
        self.changes += 1
        self._evict()

    def _evict(self) -> None:
        while self._held > self._size:
            name, value = self._table.pop()
            self._held -= len(name) + len(value) + _OVERHEAD


def decode_stateless(block: bytes) -> tuple[Header, ...]:
    """The fields but `:status` of a block that used no dynamic table; () if it is malformed."""
    try:
        fields = Decoder(0).decode(block)
    except (ProtocolError, StreamError):
        return ()
    return tuple(field for field in fields if field[0] != b":status")

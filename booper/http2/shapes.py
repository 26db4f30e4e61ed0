"""Header blocks recognised by their shape: what a repetitive sender's blocks have in common.

A sender of many similar requests repeats the same bytes around a few literals (the path, an id).
A Shape is one block taken apart into constant pieces and holes; another block of the same length
whose constant pieces are equal needs no decoding. It holds as long as the dynamic table stands
still. Measured for requests of this package's client: 10.9 -> 4.1 us each, and 0.7 us where the
server also expects the shape before it has read the frame's header (`server.py`).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from booper.http2 import frames
from booper.http2.hpack.integers import read_integer

if TYPE_CHECKING:
    from booper.wire import Header


class Head:
    """What similar requests share; the same object for all of one shape, so it can be looked up.

    `path` is None where every request brings its own. `fields` are the regular headers they
    share, `names` those of the values that each request brings.
    """

    __slots__ = ("authority", "fields", "method", "names", "path", "scheme")

    def __init__(
        self, pseudo: dict[bytes, bytes], fields: tuple[Header, ...], names: tuple[bytes, ...]
    ) -> None:
        self.method = pseudo.get(b":method", b"")
        self.scheme = pseudo.get(b":scheme", b"")
        self.authority = pseudo.get(b":authority", b"")
        self.path = pseudo.get(b":path")
        self.fields = fields
        self.names = names

    def header(self, name: bytes, values: tuple[bytes, ...]) -> bytes | None:
        """The first value of header `name` in the request that brought `values`."""
        for key, value in zip(self.names, values, strict=True):
            if key == name:
                return value
        for key, value in self.fields:
            if key == name:
                return value
        return None


class Shape:
    """Cuts a HEADERS frame, and the frame header behind it, into constant pieces and holes.

    `unpack` gives: type, length and flags of the frame; its stream; then constant pieces and holes
    in turn, a constant piece last; then the next frame's header as `frames.read_header` does.
    Thus `pieces[constant]` must equal `constants`, the stream is at 1, the holes are from 3 on.
    """

    __slots__ = ("constant", "constants", "head", "own_path", "path", "size", "unpack", "varying")

    def __init__(self, block: bytes, holes: list[tuple[int, int]], head: Head) -> None:
        layout, at = ">5sI", 0
        for begin, end in holes:
            layout += f"{begin - at}s{end - begin}s"
            at = end
        cut = Struct(f"{layout}{len(block) - at}sBHHI")
        self.unpack = cut.unpack_from
        self.size = cut.size
        self.head = head
        last = 2 * len(holes) + 3
        self.constant = slice(0, last, 2)
        self.own_path = head.path is None
        self.path = head.path or b""
        self.varying = slice(5 if self.own_path else 3, last, 2)
        model = frames.frame(frames.HEADERS, frames.END_HEADERS, 0, block) + bytes(9)
        self.constants = cut.unpack(model)[self.constant]

    def match(self, block: bytes) -> tuple[Head, bytes, tuple[bytes, ...]] | None:
        """Head, path and values of a block alone, or None if it is not of this shape."""
        if len(block) + 18 != self.size:
            return None
        model = frames.frame(frames.HEADERS, frames.END_HEADERS, 0, block) + bytes(9)
        pieces: tuple[bytes, ...] = self.unpack(model)
        if pieces[self.constant] != self.constants:
            return None
        path = pieces[3] if self.own_path else self.path
        return self.head, path, pieces[self.varying]


def learn(block: bytes, fields: tuple[Header, ...]) -> Shape | None:
    """The shape of a block just decoded into `fields`; None if it has no hole to look through.

    Holes are plain (not Huffman-coded) values of literals that stay out of every table, except
    pseudo-header fields other than the path and never-indexed ones (credentials repeat).
    """
    holes: list[tuple[int, int]] = []
    constant: list[Header] = []
    pseudo: dict[bytes, bytes] = {}
    names: list[bytes] = []
    at = 0
    for field in fields:
        name = field[0]
        at, hole = _representation(block, at)
        if hole is not None and (name[0] != 58 or name == b":path"):
            holes.append(hole)
            if name[0] != 58:
                names.append(name)
        elif name[0] == 58:
            pseudo[name] = field[1]
        else:
            constant.append(field)
    if not holes:
        return None
    return Shape(block, holes, Head(pseudo, tuple(constant), tuple(names)))


def _representation(block: bytes, at: int) -> tuple[int, tuple[int, int] | None]:
    """Where the next field's representation ends, and where its value lies if it may vary."""
    byte = block[at]
    if byte & 0x80:
        return read_integer(block, at, 0x7F)[1], None
    varies = not byte & 0xF0
    index, at = read_integer(block, at, 0x3F if byte & 0x40 else 0x0F)
    if not index:
        length, at = read_integer(block, at, 0x7F)
        at += length
    plain = not block[at] & 0x80
    length, at = read_integer(block, at, 0x7F)
    return at + length, (at, at + length) if varies and plain else None

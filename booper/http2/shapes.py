"""Header blocks recognised by their shape: what a repetitive sender's blocks have in common.

A sender of many similar requests repeats the same bytes around a few literals (the path, an id).
A Shape is one block taken apart into constant pieces and holes; another block of the same length
whose constant pieces are equal needs no decoding. It holds as long as the dynamic table stands
still. Measured for requests of this package's client: 10.9 -> 4.1 us each, and 0.7 us where the
server also expects the shape before it has read the frame's header (`server.py`).
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING

from booper.http2 import frames
from booper.http2.hpack import huffman
from booper.http2.hpack.integers import read_integer

if TYPE_CHECKING:
    from booper.http2.requests import Request
    from booper.wire import Header

_REMEMBERED = 16_384  # Huffman-coded values: a sender comes back to the same devices
_LONGEST = 256  # bytes of one that is remembered


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

    def like(self, other: Head) -> bool:
        """Whether the two say the same."""
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

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
    `coded`: a hole is Huffman-coded, and only `match` knows what it says.
    """

    __slots__ = (
        "_body",
        "coded",
        "constant",
        "constants",
        "front",
        "head",
        "own_path",
        "path",
        "series",
        "size",
        "tail",
        "unpack",
        "varying",
    )

    def __init__(self, block: bytes, holes: list[_Hole], head: Head) -> None:
        layout, at = ">5sI", 0
        for begin, end, _ in holes:
            layout += f"{begin - at}s{end - begin}s"
            at = end
        self.front, self.tail = layout, len(block) - at
        cut = Struct(f"{layout}{self.tail}sBHHI")
        self.unpack = cut.unpack_from
        self.size = cut.size
        self.head = head
        last = 2 * len(holes) + 3
        self.constant = slice(0, last, 2)
        self.own_path = head.path is None
        self.path = head.path or b""
        self.varying = slice(5 if self.own_path else 3, last, 2)
        self.coded = [3 + 2 * number for number, hole in enumerate(holes) if hole[2]]
        model = frames.frame(frames.HEADERS, frames.END_HEADERS, 0, block) + bytes(9)
        self.constants = cut.unpack(model)[self.constant]
        self._body = 0
        self.series: Series | None = None
        """Set while requests of this shape have bodies of one length."""

    def match(self, block: bytes) -> tuple[Head, bytes, tuple[bytes, ...]] | None:
        """Head, path and values of a block alone, or None if it is not of this shape.

        ProtocolError if a hole holds what Huffman's code does not know.
        """
        if len(block) + 18 != self.size:
            return None
        model = frames.frame(frames.HEADERS, frames.END_HEADERS, 0, block) + bytes(9)
        pieces: list[bytes] = list(self.unpack(model))
        if tuple(pieces[self.constant]) != self.constants:
            return None
        for place in self.coded:
            pieces[place] = _decoded(pieces[place])
        path = pieces[3] if self.own_path else self.path
        return self.head, path, tuple(pieces[self.varying])

    def met(self, body: int) -> None:
        """A request with a body of that length came: the second in a row makes a series."""
        if body != self._body:
            self._body, self.series = body, None
        elif self.series is None:
            self.series = Series(self, body)


class Series:
    """Many requests of one shape and one length, cut by one struct (0.7 -> 0.3 us each)."""

    __slots__ = ("_constants", "_cut", "_shape", "body", "size")

    def __init__(self, shape: Shape, body: int) -> None:
        cut = Struct(f"{shape.front}{shape.tail + 5}sI{body}s")
        self._shape = shape
        self._cut = cut.iter_unpack
        self._constants = (
            *shape.constants[:-1],
            shape.constants[-1] + body.to_bytes(3, "big") + b"\0\x01",
        )
        self.size = cut.size
        self.body = body

    def take(self, buf: bytes, at: int, most: int, newest: int) -> list[Request]:
        """Up to `most` requests from `at` on whose streams follow `newest` without a gap."""
        most = min(most, (len(buf) - at) // self.size, (frames.ID_MASK - newest) // 2)
        taken: list[Request] = []
        if most < 2:
            return taken  # the short way is shorter
        shape, constants, add = self._shape, self._constants, taken.append
        constant, varying, head = shape.constant, shape.varying, shape.head
        own_path, path = shape.own_path, shape.path
        for pieces in self._cut(buf[at : at + most * self.size]):
            newest += 2
            if pieces[1] != newest or pieces[-2] != newest or pieces[constant] != constants:
                break
            add((newest, pieces[3] if own_path else path, head, pieces[varying], pieces[-1]))
        return taken


_Hole = tuple[int, int, bool]  # begin, end, Huffman-coded


def learn(block: bytes, fields: tuple[Header, ...]) -> Shape | None:
    """The shape of a block just decoded into `fields`; None if it has no hole to look through.

    Holes are values of literals that stay out of every table, except pseudo-header fields other
    than the path and never-indexed ones (credentials repeat). One hole may be Huffman-coded: with
    two, different shapes would have the same length too often.
    """
    holes: list[_Hole] = []
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
    if not holes or sum(coded for _, _, coded in holes) > 1:
        return None
    return Shape(block, holes, Head(pseudo, tuple(constant), tuple(names)))


def _representation(block: bytes, at: int) -> tuple[int, _Hole | None]:
    """Where the next field's representation ends, and where its value lies if it may vary."""
    byte = block[at]
    if byte & 0x80:
        return read_integer(block, at, 0x7F)[1], None
    varies = not byte & 0xF0
    index, at = read_integer(block, at, 0x3F if byte & 0x40 else 0x0F)
    if not index:
        length, at = read_integer(block, at, 0x7F)
        at += length
    coded = bool(block[at] & 0x80)
    length, at = read_integer(block, at, 0x7F)
    return at + length, (at, at + length, coded) if varies else None


def _decoded(value: bytes) -> bytes:
    return _known(value) if len(value) <= _LONGEST else huffman.decode(value)


_known = lru_cache(_REMEMBERED)(huffman.decode)

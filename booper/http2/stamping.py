"""From a Template to constant bytes: what every request of it has in common on one connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.http2.errors import StreamError
from booper.http2.fields import check_fields
from booper.http2.hpack.encoder import NEVER_INDEXED, Encoder, literal_name
from booper.http2.hpack.integers import write_integer, write_string

if TYPE_CHECKING:
    from booper.wire import Template

_REMEMBERED = 64
_PATH = b"\x04"  # literal without indexing, name index 4


class Block:
    """A template's header block with holes for the path and the stamped values.

    `names[i]` is what stands before stamped value i. `reusable` False: it announces something or
    fills the peer's table, so it must be sent exactly once and before any other block.
    """

    __slots__ = ("head", "names", "prefix", "reusable", "tail")

    def __init__(
        self, head: bytes, prefix: bytes, tail: bytes, names: tuple[bytes, ...], *, reusable: bool
    ) -> None:
        self.head = head
        self.prefix = prefix
        self.tail = tail
        self.names = names
        self.reusable = reusable

    def path(self, length: int) -> bytes:
        """The block up to a stamp's own path of `length` bytes."""
        return self.head + write_integer(len(self.prefix) + length, 7, 0) + self.prefix

    def lead(self, length: int) -> bytes:
        """What stands before the value, `length` bytes long, of the only stamped header."""
        return self.names[0] + write_integer(length, 7, 0)

    def values(self, values: tuple[bytes, ...]) -> bytes:
        """The stamped headers. ValueError if there are more or fewer than the template names."""
        return b"".join(
            [name + write_string(value) for name, value in zip(self.names, values, strict=True)]
        )

    def whole(self, path: bytes, values: tuple[bytes, ...]) -> bytes:
        """The complete header block of one request."""
        return b"".join((self.path(len(path)), path, self.tail, self.values(values)))


def _check(template: Template) -> None:
    """ValueError unless every field of `template` may be sent (RFC 9113 section 8.2)."""
    line = ((b"method", template.method), (b"path", template.path), (b"host", template.authority))
    try:
        check_fields((*template.headers, *((name, b"") for name in template.stamped), *line))
    except StreamError as error:
        raise ValueError(f"the template cannot be sent: {error.detail}") from None


class Stamping:
    """The blocks of the templates in use on one connection, encoded once per epoch."""

    def __init__(self) -> None:
        self.encoder = Encoder()
        self._blocks: dict[Template, tuple[int, Block]] = {}

    def block(self, template: Template) -> Block:
        """The template's block as of now. If it is not reusable the caller must send it next."""
        epoch = self.encoder.epoch
        found = self._blocks.get(template)
        if found is not None and found[0] == epoch:
            return found[1]
        return self._compile(template)

    def _compile(self, template: Template) -> Block:
        _check(template)
        encoder = self.encoder
        announcing = encoder.announcing
        epoch = encoder.epoch
        head = encoder.encode(
            (
                (b":method", template.method),
                (b":scheme", b"https"),
                (b":authority", template.authority),
            )
        )
        tail = encoder.encode(template.headers)
        names = tuple(
            literal_name(name, 0x10 if name in NEVER_INDEXED else 0) for name in template.stamped
        )
        reusable = encoder.epoch == epoch and not announcing
        block = Block(head + _PATH, template.path, tail, names, reusable=reusable)
        if reusable:
            if len(self._blocks) >= _REMEMBERED:
                self._blocks.clear()
            self._blocks[template] = (epoch, block)
        return block

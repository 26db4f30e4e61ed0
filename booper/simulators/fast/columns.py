"""Many values judged in one go: a few passes in C over a column instead of a look at each.

Each says True only if every value is good; False says nothing about which is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEX = b"0123456789abcdefABCDEF"
_UUID = 36
_DASHES = (8, 13, 18, 23)
_SHORTEST, _LONGEST = 64, 200  # digits in a device token


def equal(values: Sequence[bytes]) -> bool:
    """Whether all are the same."""
    return values.count(values[0]) == len(values)


def hexadecimal(paths: Sequence[bytes], prefix: bytes) -> list[bytes] | None:
    """What follows `prefix` in each, if it is the hexadecimal name of a device, all of one length.

    None: somewhere it is not.
    """
    size = len(paths[0])
    digits = size - len(prefix)
    whole = b"".join(paths)
    if digits & 1 or not _SHORTEST <= digits <= _LONGEST or not _all_of(size, paths, whole):
        return None
    # A prefix at the start of each, and besides as many letters as there are digits and no others.
    found = whole.split(prefix)
    if len(found) != len(paths) + 1 or found[0] or b"".join(found).translate(None, _HEX):
        return None
    del found[0]
    return found if max(map(len, found)) == digits else None  # none longer: none shorter either


def uuids(values: Sequence[bytes]) -> bool:
    """Whether all are UUIDs in canonical form, of either case."""
    count = len(values)
    whole = b"".join(values)
    dashes = b"-" * count
    return (
        _all_of(_UUID, values, whole)
        and whole.translate(None, _HEX) == dashes * len(_DASHES)
        and all(whole[at::_UUID] == dashes for at in _DASHES)
    )


def _all_of(size: int, values: Sequence[bytes], whole: bytes) -> bool:
    """Whether all are `size` bytes long; `whole` is their sum."""
    return len(whole) == size * len(values) and max(map(len, values)) == size

"""Time, identifiers, dice and entropy as they really are; the only place that asks for them."""

from __future__ import annotations

import os
import random
import secrets
import struct
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from booper.ports import Clock


class SystemClock:
    """The machine's clocks."""

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class SharedClock:
    """The wall's time as the database of all nodes has it, told at each sign of life.

    In between it goes on with the machine's monotonic clock, so that neither a wrong wall clock
    here nor one that is set makes this node judge leases otherwise than the others do.
    """

    def __init__(self, own: Clock, wall: float) -> None:
        """`wall`: the database's time now."""
        self._own = own
        self.set(wall)

    def set(self, wall: float) -> None:
        """It is so late now."""
        self._ahead = wall - self._own.monotonic()

    def wall(self) -> float:
        return self._own.monotonic() + self._ahead

    def monotonic(self) -> float:
        return self._own.monotonic()


class UuidIds:
    """UUIDv7 (RFC 9562 §5.7): milliseconds first, so that ids sort by age; the rest is random."""

    def __init__(self) -> None:
        self._last = 0
        self._ends: list[str] = []  # asked for in lots: a call of the kernel costs more than all

    def mint(self) -> str:
        stamp = time.time_ns() * 4096 // 1_000_000  # milliseconds and a 12-bit fraction of one
        self._last = stamp = max(stamp, self._last + 1)  # strictly rising within this process
        if not self._ends:
            self._ends = [f"{0b10 << 62 | word >> 2:016x}" for word in _words()]
        end = self._ends.pop()
        begin = f"{stamp:015x}"
        return f"{begin[:8]}-{begin[8:12]}-7{begin[12:]}-{end[:4]}-{end[4:]}"

    def secret(self, size: int) -> bytes:
        return secrets.token_bytes(size)


def _words() -> tuple[int, ...]:
    """64 random bits, 128 times."""
    return struct.unpack("=128Q", os.urandom(8 * 128))


class SystemDice:
    """Jitter; not for secrets."""

    def random(self) -> float:
        return random.random()  # noqa: S311 - jitter


def entropy(size: int) -> bytes:
    """Unpredictable bytes, for keys and nonces."""
    return secrets.token_bytes(size)

"""Time, identifiers and dice as they really are; the only place that asks the machine for them."""

from __future__ import annotations

import random
import secrets
import time
import uuid


class SystemClock:
    """The machine's clocks."""

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class UuidIds:
    """UUIDv7 (RFC 9562 §5.7): milliseconds first, so that ids sort by age; the rest is random."""

    def __init__(self) -> None:
        self._last = 0

    def mint(self) -> str:
        stamp = time.time_ns() * 4096 // 1_000_000  # milliseconds and a 12-bit fraction of one
        self._last = stamp = max(stamp, self._last + 1)  # strictly rising within this process
        value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64
        value |= 0b10 << 62 | secrets.randbits(62)
        return str(uuid.UUID(int=value))


class SystemDice:
    """Jitter; not for secrets."""

    def random(self) -> float:
        return random.random()  # noqa: S311 - jitter

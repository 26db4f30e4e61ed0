"""The limiter of a single process: one number per key, bounded, forgotten when paid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain import limit as gcra

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.limit import Limit, Verdict
    from booper.ports import Clock

KEYS = 100_000


class MemoryLimiter:
    """The Limiter port on the monotonic clock."""

    def __init__(self, clock: Clock, keys: int = KEYS) -> None:
        self._clock = clock
        self._bound = keys
        self._paid_until: dict[str, float] = {}

    async def take(self, limits: Sequence[Limit], cost: int = 1) -> list[Verdict]:
        """Never waits, so two callers cannot both take the last one."""
        now = self._clock.monotonic()
        paid = self._paid_until
        taken = [gcra.take(limit, paid.get(limit.key, 0.0), now, cost) for limit in limits]
        if all(verdict.allowed for _, verdict in taken):
            for limit, (after, _) in zip(limits, taken, strict=True):
                paid.pop(limit.key, None)  # the latest stands last
                paid[limit.key] = after
            if len(paid) > self._bound:
                self._forget(now)
        return [verdict for _, verdict in taken]

    def _forget(self, now: float) -> None:
        """Drop what is paid; if that is not enough, those that took longest ago."""
        alive = {key: after for key, after in self._paid_until.items() if after > now}
        for key in list(alive)[: max(0, len(alive) - self._bound // 2)]:
            del alive[key]
        self._paid_until = alive

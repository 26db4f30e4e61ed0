"""Keeper: makes the running instances equal to the wanted ones, at start and every so often.

An instance whose own small supervisor gave up is started again with back-off; nobody else notices.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import structlog

from booper.workers.round import Round

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from booper.ports import Ports
    from booper.settings import Delivery

log = structlog.get_logger()

PAUSE = 5.0  # seconds before an instance that gave up is started again; doubles up to LONGEST
LONGEST = 300.0


class Keeper(Round):
    """`missing()` names the wanted instances that do not run; `start(name)` starts one."""

    def __init__(
        self,
        ports: Ports,
        delivery: Delivery,
        missing: Callable[[], Awaitable[Sequence[str]]],
        start: Callable[[str], Awaitable[None]],
    ) -> None:
        super().__init__(delivery)
        self._ports = ports
        self._missing = missing
        self._start = start
        self._tries: dict[str, int] = {}
        self._not_before: dict[str, float] = {}

    async def step(self) -> float:
        now = self._ports.clock.monotonic()
        for name in await self._missing():
            if now < self._not_before.get(name, -math.inf):
                continue
            tries = self._tries[name] = self._tries.get(name, 0) + 1
            self._not_before[name] = now + min(PAUSE * 2.0 ** (tries - 1), LONGEST)
            if tries > 1:
                log.warning("instance_restarted", instance=name, tries=tries)
            await self._start(name)
        return math.inf

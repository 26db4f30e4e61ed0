"""Round: the one way a worker of the delivery line works: step by step until nothing is left,
then rest until somebody wakes it or a tick passes. An outage of the store is met at the next tick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
import trio

from actors import Actor, Cast
from booper.domain.errors import Unavailable
from booper.workers.messages import Wake

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from booper.settings import Delivery

log = structlog.get_logger()


class Round(Actor):
    """An actor with one standing task; its mailbox stays free for wake-ups."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self._awake = trio.Event()
        self._standing: list[trio.CancelScope] = []
        self._down = False

    async def step(self) -> float:
        """Do one piece of work; the seconds to rest now (0: there may be more)."""
        raise NotImplementedError

    async def init(self) -> None:
        self.stand(self._work)

    async def handle_cast(self, message: Cast) -> None:
        match message:
            case Wake():
                self._awake.set()
            case _:
                await super().handle_cast(message)

    async def terminate(self, reason: str) -> None:  # noqa: ARG002 - the end is the same
        for scope in self._standing:
            scope.cancel()

    def stand(self, task: Callable[[], Awaitable[None]]) -> None:
        """Keep a task at work until this actor terminates."""
        scope = trio.CancelScope()
        self._standing.append(scope)

        async def run() -> None:
            with scope:
                await task()

        self.nursery.start_soon(run)

    def wake(self) -> None:
        """Cut the present rest short."""
        self._awake.set()

    async def _work(self) -> None:
        while True:
            self._awake = trio.Event()
            rest = await self._try_step()
            if rest > 0:
                with trio.move_on_after(min(rest, self.delivery.tick)):
                    await self._awake.wait()
            else:
                await trio.lowlevel.checkpoint()

    async def _try_step(self) -> float:
        try:
            rest = await self.step()
        except Unavailable as error:
            if not self._down:
                log.error("store_unavailable", worker=self.name, detail=error.detail)
            self._down = True
            return self.delivery.tick
        if self._down:
            log.info("store_available", worker=self.name)
        self._down = False
        return rest

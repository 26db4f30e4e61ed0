"""Round: the one way a worker of the delivery line works: step by step until nothing is left,
then rest until somebody wakes it or a tick passes. An outage of the store is met at the next tick.
"""

from __future__ import annotations

from functools import partial
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


class Lane:
    """One of the tasks that step: at work, or resting until it is woken or a time has passed."""

    def __init__(self) -> None:
        self.awake = trio.Event()
        self.resting = False


class Round(Actor):
    """An actor with standing tasks; its mailbox stays free for wake-ups.

    With several `lanes` a step may begin while another one is still waiting for the store, so that
    what takes long does not hold up what comes meanwhile. The second is only woken where the first
    is at work.
    """

    def __init__(self, delivery: Delivery, lanes: int = 1) -> None:
        self.delivery = delivery
        self._lanes = [Lane() for _ in range(lanes)]
        self._standing: list[trio.CancelScope] = []
        self._down = False

    async def step(self) -> float:
        """Do one piece of work; the seconds to rest now (0: there may be more)."""
        raise NotImplementedError

    async def init(self) -> None:
        for lane in self._lanes:
            self.stand(partial(self._work, lane))

    async def handle_cast(self, message: Cast) -> None:
        match message:
            case Wake():
                self.wake()
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

    @property
    def woken(self) -> bool:
        """Whether a next step comes without a rest."""
        return any(lane.awake.is_set() for lane in self._lanes)

    def wake(self) -> None:
        """Cut a rest short; if nobody rests, nobody will after this step."""
        resting = [lane for lane in self._lanes if lane.resting and not lane.awake.is_set()]
        for lane in resting[:1] or self._lanes:
            lane.awake.set()

    async def _work(self, lane: Lane) -> None:
        while True:
            lane.awake = trio.Event()
            rest = await self._try_step()
            if rest > 0:
                lane.resting = True
                with trio.move_on_after(min(rest, self.delivery.tick)):
                    await lane.awake.wait()
                lane.resting = False
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

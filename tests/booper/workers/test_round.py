"""Lanes: a step may begin while another one still waits, and only then."""

from __future__ import annotations

import trio
import trio.testing

from actors import Actor, Ref, Registry, actor_worker
from booper.settings import Delivery
from booper.workers.messages import Wake
from booper.workers.round import Round


class Steps(Round):
    """Counts its steps; each lasts until it is let go."""

    def __init__(self, lanes: int) -> None:
        super().__init__(Delivery(tick=3600.0), lanes)
        self.begun = 0
        self.go = trio.Semaphore(0)

    async def step(self) -> float:
        self.begun += 1
        await self.go.acquire()
        return 3600.0


async def begun(steps: Steps) -> int:
    await trio.testing.wait_all_tasks_blocked()
    return steps.begun


async def test_the_second_lane_wakes_only_where_the_first_is_at_work(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    registry = Registry()
    made: list[Steps] = []

    def factory() -> Actor:
        made.append(Steps(2))
        return made[0]

    await nursery.start(actor_worker(factory, registry, "steps"))
    (steps,) = made
    assert await begun(steps) == 2, "each begins with a look"
    for _ in range(2):
        steps.go.release()
    assert await begun(steps) == 2, "both rest"
    steps.wake()
    assert await begun(steps) == 3, "one is enough"
    steps.wake()
    assert await begun(steps) == 4, "the other comes to help"
    Ref(registry, "steps").cast(Wake())
    assert await begun(steps) == 4, "nobody is left"
    steps.go.release()
    assert await begun(steps) == 5, "but who comes back looks again"
    nursery.cancel_scope.cancel()

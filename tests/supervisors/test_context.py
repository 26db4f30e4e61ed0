"""In whose name a child lives: never in that of whoever ordered it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from actors import Actor, Call, Ref, Reply
from supervisors import ChildSpec, StartFailed, StartTimeout, State

if TYPE_CHECKING:
    from typing import Any

    from trio.testing import MockClock

    from actors import StartedCallback
    from tests.supervisors.conftest import Stage

TENANT: ContextVar[str] = ContextVar("tenant", default="nobody")


class Whoami(Call[str]):
    pass


class Witness(Actor):
    async def init(self) -> None:
        self.tenant = TENANT.get()

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        return self.tenant


async def test_t04_b48_a_child_carries_nothing_of_the_caller_through_its_restarts(
    stage: Stage, autojump_clock: MockClock
) -> None:
    seen: list[str] = []
    told = [trio.Event(), trio.Event()]

    async def witness(*, task_status: StartedCallback) -> None:
        seen.append(TENANT.get())
        task_status.started(None)
        await told[len(seen) - 1].wait()
        raise ValueError

    top = await stage.run()

    async def request() -> None:
        TENANT.set("acme")
        await top.start_child(ChildSpec("one", witness))
        await top.start_child(ChildSpec.actor("actor", Witness, stage.registry))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(request)
    told[0].set()
    await trio.testing.wait_all_tasks_blocked()
    assert seen == ["nobody", "nobody"]
    assert await Ref(stage.registry, "actor").call(Whoami()) == "nobody"
    await top.kill_child("actor")
    await trio.testing.wait_all_tasks_blocked()
    assert await Ref(stage.registry, "actor").call(Whoami()) == "nobody"


async def test_t04_restarts_by_order_carry_nothing_either(
    stage: Stage, autojump_clock: MockClock
) -> None:
    seen: list[str] = []

    async def witness(*, task_status: StartedCallback) -> None:
        seen.append(TENANT.get())
        task_status.started(None)
        await trio.sleep_forever()

    top = await stage.run(ChildSpec("one", witness))
    await top.terminate_child("one")
    TENANT.set("acme")
    await top.restart_child("one")
    assert seen == ["nobody", "nobody"]


async def test_t04_a_restarted_child_carries_nothing_of_its_former_self(
    stage: Stage, autojump_clock: MockClock
) -> None:
    seen: list[str] = []

    async def careless(*, task_status: StartedCallback) -> None:
        seen.append(TENANT.get())
        TENANT.set("acme")
        task_status.started(None)
        if len(seen) < 3:
            raise ValueError
        await trio.sleep_forever()

    await stage.run(ChildSpec("one", careless))
    await trio.testing.wait_all_tasks_blocked()
    assert seen == ["nobody"] * 3


async def test_t05_the_time_limit_of_a_start_reaches_the_child(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """A timeout around the order would end the order only."""
    top = await stage.run()
    alive: list[str] = []

    async def slow(*, task_status: StartedCallback) -> None:
        try:
            await trio.sleep(100)
        finally:
            alive.append("ended")

    with pytest.raises(StartFailed) as caught:
        await top.start_child(ChildSpec("slow", slow, start_timeout=3))
    assert isinstance(caught.value.__cause__, StartTimeout)
    assert alive == ["ended"]
    assert trio.current_time() - stage.began == pytest.approx(3)


async def test_t05_a_caller_that_gives_up_does_not_undo_the_order(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run()

    async def slow(*, task_status: StartedCallback) -> None:
        await trio.sleep(10)
        task_status.started(None)
        await trio.sleep_forever()

    with trio.move_on_after(1):
        await top.start_child(ChildSpec("slow", slow))
    assert stage.ids(await top.which_children()) == [("slow", State.STARTING)]
    await trio.sleep(10)
    assert stage.ids(await top.which_children()) == [("slow", State.RUNNING)]

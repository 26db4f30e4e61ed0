"""Many children, and many things happening to them: nothing grows and nothing is left behind."""

from __future__ import annotations

import contextlib
import gc
import random
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
import trio
import trio.lowlevel
import trio.testing

from actors import Actor
from supervisors import (
    ONE_FOR_ALL,
    ONE_FOR_ONE,
    REST_FOR_ONE,
    TEMPORARY,
    TRANSIENT,
    Backoff,
    ChildSpec,
    Intensity,
    State,
    Strategy,
    SupervisorError,
    SupervisorRef,
    SupervisorSpec,
    run_tree,
    supervisor_spec,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from actors import StartedCallback
    from tests.supervisors.conftest import Stage

from tests.supervisors.conftest import Script


async def idle(*, task_status: StartedCallback) -> None:
    asked = trio.Event()
    task_status.started(asked.set)
    await asked.wait()


async def fleeting(*, task_status: StartedCallback) -> None:
    task_status.started(None)


async def start_and_stop(count: int) -> float:
    """Seconds for that many static and as many dynamic children, from start to the last end."""

    async def read() -> list[ChildSpec]:
        return [ChildSpec(f"n{number}", idle) for number in range(count)]

    static = SupervisorSpec(await read())
    gc.collect()
    gc.disable()  # its share grows with the heap of the whole test run, not with our work
    began = time.process_time()
    async with trio.open_nursery() as nursery:
        tree = await nursery.start(
            run_tree,
            SupervisorSpec(
                [supervisor_spec("s", static), supervisor_spec("d", SupervisorSpec(read))]
            ),
        )
        tree.stop()
    took = time.process_time() - began
    gc.enable()
    return took


@pytest.mark.slow
async def test_b32_ten_times_the_children_cost_no_more_than_twenty_times_as_much() -> None:
    await start_and_stop(100)
    few = min([await start_and_stop(1000) for _ in range(3)])
    many = await start_and_stop(10_000)
    assert many <= 20 * few


@pytest.mark.slow
async def test_b33_temporary_children_leave_no_memory(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run()

    async def cycle(times: int) -> None:
        for number in range(times):
            await top.start_child(ChildSpec(f"n{number}", fleeting, restart=TEMPORARY))
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()

    await cycle(200)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    await cycle(10_000)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert await top.which_children() == ()
    assert after - before < 50_000  # 5 bytes for each of them would be more


@pytest.mark.parametrize("error", [ValueError("x" * 1000), None])
async def test_b33_nothing_is_kept_for_any_way_of_dying(
    stage: Stage, autojump_clock: MockClock, error: Exception | None
) -> None:
    top = await stage.run(intensity=Intensity(10**6, 1))
    kept = 0
    for _ in range(50):
        await top.start_child(stage.child("one", restart=TEMPORARY))
        if error is None:
            await top.terminate_child("one")
        else:
            stage.players["one"].crash(error)
            await trio.testing.wait_all_tasks_blocked()
        kept += len(await top.which_children())
    assert kept == 0


class Quiet(Actor):
    """Does nothing, under a name."""


class Soak:
    """A thousand things at random, on a tree with named actors and scripted workers."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.dice = random.Random(seed)
        self.top = SupervisorRef(stage.registry, "top")
        self.workers = [f"w{number}" for number in range(6)]
        self.actors = [f"a{number}" for number in range(6)]

    def specs(self) -> list[ChildSpec]:
        """The children at the start."""
        workers = [self.worker(name) for name in self.workers]
        return workers + [self.actor(name) for name in self.actors]

    def worker(self, name: str) -> ChildSpec:
        """A scripted one, slow in some things."""
        script = Script(start_takes=self.dice.choice([0, 0, 0.3]), stop_takes=self.dice.random())
        return self.stage.child(name, script, shutdown=self.dice.choice([0.2, 2]))

    def actor(self, name: str) -> ChildSpec:
        """A named one."""
        return ChildSpec.actor(name, Quiet, self.stage.registry)

    async def step(self) -> None:
        """One thing, of which many are refused."""
        dice, top = self.dice, self.top
        name = dice.choice(self.workers + self.actors)
        spec = self.worker(name) if name in self.workers else self.actor(name)
        orders = [
            lambda: top.terminate_child(name), lambda: top.restart_child(name),
            lambda: top.delete_child(name), lambda: top.remove_child(name),
            lambda: top.start_child(spec), lambda: top.replace_spec(spec),
            lambda: top.kill_child(name), lambda: top.kill_child(name),
        ]  # fmt: skip
        if name in self.workers and dice.random() < 0.3:
            player = self.stage.players[name]
            player.crash(ValueError()) if dice.random() < 0.7 else player.leave()
            if dice.random() < 0.3:
                self.stage.scripts[name].fail_starts = [OSError()]
            return
        with contextlib.suppress(SupervisorError):
            await dice.choice(orders)()

    async def settle(self) -> None:
        """Everything as it was at the start."""
        await trio.sleep(60)
        for name in self.workers + self.actors:
            self.stage.scripts[name] = Script()
            spec = self.worker(name) if name in self.workers else self.actor(name)
            with contextlib.suppress(SupervisorError):
                await self.top.remove_child(name)
            await self.top.start_child(spec)
        await trio.sleep(60)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("strategy", [ONE_FOR_ONE, ONE_FOR_ALL, REST_FOR_ONE])
async def test_b50_a_thousand_random_operations_leave_everything_as_it_was(
    stage: Stage, autojump_clock: MockClock, strategy: Strategy, seed: int
) -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    soak = Soak(stage, seed)
    await stage.run(
        *soak.specs(), strategy=strategy, intensity=stage.patient, backoff=Backoff(base=0.1, cap=1)
    )
    tasks = trio.lowlevel.current_statistics().tasks_living
    names = sorted(stage.registry.names())
    limit = trio.CapacityLimiter(8)

    async def limited() -> None:
        async with limit:
            await soak.step()

    async with trio.open_nursery() as nursery:
        for _ in range(1000):
            nursery.start_soon(limited)
            await trio.sleep(soak.dice.random() / 10)
    await soak.settle()
    assert {row.state for row in await soak.top.which_children()} == {State.RUNNING}
    assert trio.lowlevel.current_statistics().tasks_living == tasks
    assert sorted(stage.registry.names()) == names
    for name in soak.workers:
        assert (
            stage.did("start").count(f"start {name}") == stage.did("end").count(f"end {name}") + 1
        )
    await stage.stop()
    assert trio.lowlevel.current_statistics().tasks_living == before
    assert stage.registry.names() == ()


async def test_b07_many_transient_children_may_all_leave(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(*[ChildSpec(f"n{n}", fleeting, restart=TRANSIENT) for n in range(200)])
    await trio.testing.wait_all_tasks_blocked()
    assert (await top.count_children()).active == 0
    assert stage.reports == []

"""A supervisor in the middle of a restart loop, a back-off or a hanging start still obeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from supervisors import (
    ONE_FOR_ALL,
    PERMANENT,
    REST_FOR_ONE,
    TEMPORARY,
    AlreadyPresent,
    AlreadyStarted,
    Backoff,
    Intensity,
    ReportKind,
    Restarting,
    Running,
    ShuttingDown,
    StartFailed,
    State,
    Strategy,
    SupervisorSpec,
    supervisor_spec,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from supervisors import SupervisorRef
    from tests.supervisors.conftest import Stage

from tests.supervisors.conftest import Script

AT_ONCE = 0.1


async def looping(stage: Stage, strategy: Strategy = Strategy.ONE_FOR_ONE) -> SupervisorRef:
    """A supervisor whose child "bad" never starts again; a try every 10 ms, for ever."""
    top = await stage.run(
        stage.child("a"), stage.child("bad"), stage.child("c"), strategy=strategy,
        intensity=Intensity(10**6, 1), backoff=Backoff(first=0.01, base=0.01, factor=1),
    )  # fmt: skip
    stage.scripts["bad"].fail_starts = [OSError() for _ in range(10**5)]
    stage.players["bad"].crash(ValueError())
    await trio.sleep(1.005)
    assert len(stage.told(ReportKind.START_FAILED)) > 50
    return top


@pytest.mark.parametrize("strategy", Strategy)
async def test_b19_in_a_restart_loop_everything_is_answered_at_once(
    stage: Stage, autojump_clock: MockClock, strategy: Strategy
) -> None:
    top = await looping(stage, strategy)
    with trio.fail_after(AT_ONCE):
        rows = dict(stage.ids(await top.which_children()))
        assert rows["bad"] in (State.BACKING_OFF, State.RESTARTING, State.STARTING)
        assert (await top.count_children()).specs == 3
        with pytest.raises(AlreadyPresent):
            await top.start_child(stage.child("bad", stage.scripts["bad"]))
        with pytest.raises(Restarting):
            await top.restart_child("bad")
        with pytest.raises(Restarting):
            await top.delete_child("bad")
        assert (await top.terminate_child("bad")).state is State.TERMINATED
        assert (await top.delete_child("bad")).id == "bad"
    tries = len(stage.told(ReportKind.START_FAILED))
    await trio.sleep(10)
    assert len(stage.told(ReportKind.START_FAILED)) == tries
    assert stage.ids(await top.which_children()) == [("a", State.RUNNING), ("c", State.RUNNING)]


@pytest.mark.parametrize("strategy", Strategy)
async def test_b19_in_a_restart_loop_the_supervisor_stops_at_once(
    stage: Stage, autojump_clock: MockClock, strategy: Strategy
) -> None:
    await looping(stage, strategy)
    with trio.fail_after(AT_ONCE):
        await stage.stop()
    assert stage.error is None


async def test_b19_a_loop_without_any_delay_lets_others_have_their_turn(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("bad"), intensity=Intensity(10**6, 1))
    stage.scripts["bad"].fail_starts = [OSError() for _ in range(10**5)]
    stage.players["bad"].crash(ValueError())
    for _ in range(100):
        await trio.lowlevel.checkpoint()
    assert (await top.remove_child("bad")).state is State.TERMINATED
    assert 0 < len(stage.told(ReportKind.START_FAILED)) < 10**5


async def test_b19_a_hanging_restart_is_cut_short_by_terminate(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("bad"))
    stage.scripts["bad"].start_takes = 20
    stage.players["bad"].crash(ValueError())
    await trio.sleep(1)
    with trio.fail_after(AT_ONCE):
        with pytest.raises(Running):
            await top.restart_child("bad")
        assert (await top.terminate_child("bad")).state is State.TERMINATED
    await trio.sleep(60)
    assert stage.ids(await top.which_children()) == [("bad", State.TERMINATED)]
    assert stage.told(ReportKind.START_FAILED) == []


async def test_b19_a_hanging_restart_does_not_keep_the_supervisor_from_stopping(
    stage: Stage, autojump_clock: MockClock
) -> None:
    below = SupervisorSpec([stage.child("leaf")])
    await stage.run(stage.child("bad"), supervisor_spec("below", below), strategy=REST_FOR_ONE)
    stage.scripts["leaf"].start_takes = 20
    stage.players["bad"].crash(ValueError())
    await trio.sleep(1)
    with trio.fail_after(AT_ONCE):
        await stage.stop()
    assert stage.did("start").count("start leaf") == stage.did("end").count("end leaf") == 2


async def test_b19_a_hanging_start_by_order_is_cut_short_too(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run()
    failed: list[StartFailed] = []

    async def start() -> None:
        with pytest.raises(StartFailed) as caught:
            await top.start_child(stage.child("slow", Script(start_takes=20)))
        failed.append(caught.value)

    stage.nursery.start_soon(start)
    await trio.sleep(1)
    with trio.fail_after(AT_ONCE):
        with pytest.raises(AlreadyStarted):
            await top.start_child(stage.child("slow", stage.scripts["slow"]))
        assert (await top.terminate_child("slow")).state is State.TERMINATED
    await trio.testing.wait_all_tasks_blocked()
    assert failed[0].why == "terminated while it was starting"
    assert await top.which_children() == ()


async def test_b19_an_order_that_waits_for_its_turn_can_be_taken_back(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(strategy=ONE_FOR_ALL)
    refused: list[str] = []

    async def start(name: str, takes: float) -> None:
        try:
            await top.start_child(stage.child(name, Script(start_takes=takes)))
        except StartFailed as error:
            refused.append(f"{name}: {error.why}")

    stage.nursery.start_soon(start, "slow", 20)
    await trio.sleep(1)
    stage.nursery.start_soon(start, "next", 0)
    await trio.sleep(1)
    with trio.fail_after(AT_ONCE):
        assert (await top.terminate_child("next")).state is State.TERMINATED
    await trio.sleep(30)
    assert refused == ["next: terminated before its turn"]
    assert stage.ids(await top.which_children()) == [("slow", State.RUNNING)]


async def test_b19_an_order_taken_back_does_not_hit_the_next_child_of_that_id(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(strategy=ONE_FOR_ALL)
    refused: list[str] = []

    async def start(name: str, takes: float) -> None:
        try:
            await top.start_child(stage.child(name, Script(start_takes=takes)))
        except StartFailed as error:
            refused.append(f"{name}: {error.why}")

    stage.nursery.start_soon(start, "slow", 20)
    await trio.sleep(1)
    stage.nursery.start_soon(start, "twin", 0)
    await trio.sleep(1)
    await top.remove_child("twin")
    stage.nursery.start_soon(start, "twin", 0)
    await trio.sleep(30)
    assert refused == ["twin: terminated before its turn"]
    assert stage.ids(await top.which_children()) == [
        ("slow", State.RUNNING), ("twin", State.RUNNING),
    ]  # fmt: skip


async def test_b19_a_slow_stop_of_one_child_does_not_delay_the_others(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(
        stage.child("slow", Script(stop_takes=60), shutdown=100), stage.child("b")
    )
    stage.nursery.start_soon(top.terminate_child, "slow", 1000)
    await trio.sleep(1)
    with trio.fail_after(AT_ONCE):
        assert (await top.which_children())[0].state is State.STOPPING
        await top.start_child(stage.child("c"))
        await top.remove_child("b")
        stage.players["c"].crash(ValueError())
        await trio.testing.wait_all_tasks_blocked()
    assert stage.players["c"].number == 2


async def test_b19_orders_to_a_stopping_supervisor_are_refused_and_questions_answered(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("slow", Script(stop_takes=3)), stage.child("b"))
    failed: list[str] = []

    async def start() -> None:
        with pytest.raises(ShuttingDown):
            await top.start_child(stage.child("late", Script(start_takes=20)))
        failed.append("late")

    stage.nursery.start_soon(start)
    await trio.sleep(1)
    assert stage.tree is not None
    stage.tree.stop()
    await trio.sleep(1)
    assert failed == ["late"]
    with trio.fail_after(AT_ONCE):
        assert (await top.which_children())[0].state is State.STOPPING
        for order in (top.start_child(stage.child("x")), top.kill_child("slow")):
            with pytest.raises(ShuttingDown):
                await order
    await stage.ended.wait()
    assert stage.registry.names() == ()


async def test_b19_terminating_in_a_back_off_leaves_no_timer(
    stage: Stage, autojump_clock: MockClock
) -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    top = await stage.run(backoff=Backoff(first=1000))
    settled = trio.lowlevel.current_statistics().tasks_living
    for restart in (PERMANENT, TEMPORARY):
        await top.start_child(stage.child("a"))
        stage.players["a"].crash(ValueError())
        await trio.sleep(1)
        assert trio.lowlevel.current_statistics().tasks_living == settled + 1
        await top.replace_spec(stage.child("a", restart=restart))
        assert (await top.terminate_child("a")).state is State.TERMINATED
        assert (await top.which_children() == ()) is (restart is TEMPORARY)
        await trio.testing.wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().tasks_living == settled
        if restart is PERMANENT:
            await top.delete_child("a")
    await stage.stop()
    assert trio.lowlevel.current_statistics().tasks_living == before

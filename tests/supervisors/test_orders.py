"""What one may tell and ask a running supervisor, and its exact answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from actors import Actor, Call, Cast, Ref, UnknownMessage
from supervisors import (
    ONE_FOR_ALL,
    REST_FOR_ONE,
    TEMPORARY,
    TRANSIENT,
    AlreadyPresent,
    AlreadyStarted,
    Backoff,
    ChildSpec,
    Counts,
    InvalidSpec,
    MaxChildren,
    NotFound,
    Running,
    StartFailed,
    State,
    Strategy,
    SupervisorError,
    SupervisorRef,
    SupervisorSpec,
    supervisor_spec,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.supervisors.conftest import Stage

from tests.supervisors.conftest import Script


async def test_b26_start_twice(stage: Stage, autojump_clock: MockClock) -> None:
    top = await stage.run(stage.child("one"))
    with pytest.raises(AlreadyStarted, match="'one' is already running"):
        await top.start_child(stage.child("one"))
    await top.terminate_child("one")
    with pytest.raises(AlreadyPresent):
        await top.start_child(stage.child("one"))
    assert stage.did("start") == ["start one"]


async def test_b26_two_orders_at_once_have_one_winner(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run()
    spec = stage.child("one", Script(start_takes=1))
    answers: list[str] = []

    async def start() -> None:
        try:
            answers.append((await top.start_child(spec)).state.value)
        except SupervisorError as error:
            answers.append(type(error).__name__)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(start)
    assert sorted(answers) == ["AlreadyStarted", "AlreadyStarted", "running"]
    assert stage.did("start") == ["start one"]


async def test_b27_terminate_is_idempotent_also_at_the_same_time(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("one", Script(stop_takes=2)))
    states: list[State] = []

    async def terminate() -> None:
        states.append((await top.terminate_child("one")).state)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(terminate)
        nursery.start_soon(terminate)
    await terminate()
    assert states == [State.TERMINATED] * 3
    assert stage.did("asked") == ["asked one"]
    with pytest.raises(NotFound):
        await top.terminate_child("nobody")


async def test_b28_restart_child_only_when_it_does_not_run(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("one"))
    with pytest.raises(Running):
        await top.restart_child("one")
    with pytest.raises(NotFound):
        await top.restart_child("nobody")
    await top.terminate_child("one")
    row = await top.restart_child("one")
    assert (row.state, row.incarnation, row.restarts) == (State.RUNNING, 2, 0)


async def test_b28_a_failed_restart_by_order_keeps_the_specification(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("one"))
    await top.terminate_child("one")
    stage.scripts["one"].fail_starts = [OSError("port taken")]
    with pytest.raises(StartFailed) as caught:
        await top.restart_child("one")
    assert isinstance(caught.value.__cause__, OSError)
    assert stage.ids(await top.which_children()) == [("one", State.STOPPED)]
    assert (await top.restart_child("one")).state is State.RUNNING


async def test_b28_a_restart_by_order_may_be_taken_back(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("one"))
    await top.terminate_child("one")
    stage.scripts["one"].start_takes = 20

    async def restart() -> None:
        with pytest.raises(StartFailed):
            await top.restart_child("one")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(restart)
        await trio.sleep(1)
        await top.terminate_child("one")
    assert stage.ids(await top.which_children()) == [("one", State.TERMINATED)]


async def test_b29_delete_child_only_when_it_does_not_run(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("one"), stage.child("two"))
    with pytest.raises(Running):
        await top.delete_child("one")
    with pytest.raises(NotFound):
        await top.delete_child("nobody")
    await top.terminate_child("one")
    assert (await top.delete_child("one")).state is State.TERMINATED
    assert (await top.remove_child("two")).state is State.TERMINATED
    assert await top.which_children() == ()
    assert (await top.start_child(stage.child("one"))).incarnation == 1


async def test_b30_max_children_counts_restarting_ones(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("a"), max_children=2, backoff=Backoff(first=50))
    await top.start_child(stage.child("b"))
    stage.players["b"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(MaxChildren) as caught:
        await top.start_child(stage.child("c"))
    assert caught.value.limit == 2
    await top.remove_child("b")
    assert (await top.start_child(stage.child("c"))).state is State.RUNNING


async def test_b30_another_supervisors_child_is_not_found_and_not_touched(
    stage: Stage, autojump_clock: MockClock
) -> None:
    below = SupervisorSpec([stage.child("foreign")], name="below", registry=stage.registry)
    top = await stage.run(supervisor_spec("below", below))
    for order in (top.terminate_child, top.kill_child, top.remove_child, top.delete_child):
        with pytest.raises(NotFound):
            await order("foreign")
    assert stage.did("end") == []
    (row,) = await SupervisorRef(stage.registry, "below").which_children()
    assert row.state is State.RUNNING


async def test_b30_a_dynamic_child_that_died_already_may_be_terminated(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run()
    await top.start_child(stage.child("one", restart=TRANSIENT))
    stage.players["one"].leave()
    await trio.testing.wait_all_tasks_blocked()
    await top.kill_child("one")
    assert (await top.terminate_child("one")).state is State.TERMINATED


async def test_b31_listings_are_exact_under_a_thousand_children(
    stage: Stage, autojump_clock: MockClock
) -> None:
    below = supervisor_spec("below", SupervisorSpec())
    top = await stage.run(below, backoff=Backoff(first=10), intensity=stage.patient)
    names = [f"n{number}" for number in range(1000)]
    for name in names:
        await top.start_child(stage.child(name))
    for name in names[:100]:
        stage.players[name].crash(ValueError())
    for name in names[100:150]:
        await top.terminate_child(name)
    for name in names[150:200]:
        await top.remove_child(name)
    await trio.testing.wait_all_tasks_blocked()
    rows = await top.which_children()
    assert [row.id for row in rows] == ["below", *names[:150], *names[200:]]
    states = [row.state for row in rows]
    assert states.count(State.BACKING_OFF) == 100
    assert states.count(State.TERMINATED) == 50
    assert states.count(State.RUNNING) == 801
    assert await top.count_children() == Counts(951, 801, 1, 950)
    await trio.sleep(11)
    assert await top.count_children() == Counts(951, 901, 1, 950)


async def test_b34_a_replaced_specification_counts_from_now_and_starts_at_the_next_restart(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("one"), stage.child("two"))
    running = stage.players["one"]
    row = await top.replace_spec(stage.child("one", restart=TEMPORARY, shutdown=9))
    assert (row.state, row.restart, row.incarnation) == (State.RUNNING, TEMPORARY, 1)
    assert stage.players["one"] is running
    assert [each.id for each in await top.which_children()] == ["one", "two"]
    running.crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    assert [each.id for each in await top.which_children()] == ["two"]


async def test_b34_the_new_start_is_used_and_the_counters_survive(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("one"))
    stage.players["one"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    other = stage.child("other")
    await top.replace_spec(ChildSpec("one", other.start))
    stage.players["one"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    (row,) = await top.which_children()
    assert (row.id, row.incarnation, row.restarts) == ("one", 3, 2)
    assert stage.did("start") == ["start one", "start one", "start other"]


async def test_b34_a_bad_specification_changes_nothing(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("one"))
    with pytest.raises(InvalidSpec):
        await top.replace_spec(stage.child("one", shutdown=-1))
    with pytest.raises(NotFound):
        await top.replace_spec(stage.child("nobody"))
    assert stage.did() == ["start one", "ready one"]


@pytest.mark.parametrize("strategy", [ONE_FOR_ALL, REST_FOR_ONE])
async def test_orders_work_in_a_group(
    stage: Stage, autojump_clock: MockClock, strategy: Strategy
) -> None:
    top = await stage.run(stage.child("a"), strategy=strategy)
    await top.start_child(stage.child("b"))
    await top.terminate_child("a")
    assert stage.did("end") == ["end a"]
    await top.restart_child("a")
    stage.players["a"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    assert stage.did("ready")[-2:] == ["ready a", "ready b"]


class Unknown(Call[None]):
    pass


class Stray(Cast):
    pass


async def test_b43_unknown_messages_do_not_hurt_a_supervisor(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(stage.child("one"))
    ref = Ref(stage.registry, "top")
    ref.cast(Stray())
    with pytest.raises(UnknownMessage):
        await ref.call(Unknown())
    assert stage.did("end") == []


async def test_b03_junk_in_an_order_is_the_callers_error(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("one"))
    for refused in (top.start_child("one"), top.replace_spec("one")):  # type: ignore[arg-type]
        with pytest.raises(InvalidSpec, match="spec: a ChildSpec"):
            await refused
    with pytest.raises(NotFound):
        await top.terminate_child(["one"])  # type: ignore[arg-type]
    assert stage.did() == ["start one", "ready one"]


async def test_b37_who_stops_the_front_stops_the_supervisor(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(stage.child("one", Script(stop_takes=1)))
    await Ref(stage.registry, "top").stop()
    assert stage.tree is not None
    stage.tree.stop()  # too late to change anything
    await stage.ended.wait()
    assert stage.error is None
    assert stage.did("asked", "end") == ["asked one", "end one"]


async def test_an_actor_may_start_children_of_its_own_supervisor(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = SupervisorRef(stage.registry, "top")
    child = stage.child("new")

    class Parent(Actor):
        async def handle_cast(self, message: Cast) -> None:
            await top.start_child(child)

    await stage.run(ChildSpec.actor("parent", Parent, stage.registry))
    Ref(stage.registry, "parent").cast(Stray())
    await trio.testing.wait_all_tasks_blocked()
    assert stage.did() == ["start new", "ready new"]

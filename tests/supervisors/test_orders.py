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
    AlreadyPresent,
    AlreadyStarted,
    ChildSpec,
    InvalidSpec,
    NotFound,
    Running,
    StartFailed,
    State,
    Strategy,
    SupervisorError,
    SupervisorRef,
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


async def test_a_front_that_crashes_takes_its_supervisor_with_it(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async def bug() -> None:
        raise LookupError("a bug of ours")

    await stage.run(stage.child("one"))
    nursery = stage.registry.mailboxes["top"].nursery
    assert nursery is not None
    nursery.start_soon(bug)
    await stage.ended.wait()
    assert isinstance(stage.error, LookupError)
    assert stage.did("asked", "end") == ["asked one", "end one"]

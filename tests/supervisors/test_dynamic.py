"""Children that come, go and change while the supervisor runs, and exact listings of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from supervisors import (
    TEMPORARY,
    TRANSIENT,
    Backoff,
    ChildSpec,
    Counts,
    InvalidSpec,
    MaxChildren,
    NotFound,
    State,
    SupervisorRef,
    SupervisorSpec,
    supervisor_spec,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.supervisors.conftest import Stage


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

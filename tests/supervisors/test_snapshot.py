"""The picture of the tree, at rest and while things happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from actors import Actor, Cast, Ref
from supervisors import (
    TEMPORARY,
    Backoff,
    ChildSpec,
    Snapshot,
    State,
    SupervisorRef,
    SupervisorSpec,
    supervisor_spec,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from actors import StartedCallback, Statistics
    from tests.supervisors.conftest import Stage

from tests.supervisors.conftest import Script


@dataclass(frozen=True)
class Wait(Cast):
    pass


class Busy(Actor):
    async def handle_cast(self, message: Cast) -> None:
        await trio.sleep_forever()


async def test_a_snapshot_shows_the_whole_tree(stage: Stage, autojump_clock: MockClock) -> None:
    low = SupervisorSpec(
        [ChildSpec.actor("busy", Busy, stage.registry, mailbox_limit=9, shutdown=0)],
        name="low", registry=stage.registry,
    )  # fmt: skip
    await stage.run(stage.child("plain", restart=TEMPORARY), supervisor_spec("low", low))
    for _ in range(4):
        Ref(stage.registry, "busy").cast(Wait())
    await trio.sleep(3)
    assert stage.tree is not None
    top = stage.tree.snapshot()
    plain, below = top.children
    (busy,) = below.children
    assert (top.id, top.kind, top.state) == ("top", "supervisor", State.RUNNING)
    assert plain == Snapshot("plain", "worker", TEMPORARY, State.RUNNING, incarnation=1, age=3.0)
    assert (below.kind, below.mailbox_depth, below.mailbox_limit) == ("supervisor", 0, 1000)
    assert (busy.mailbox_depth, busy.mailbox_limit, busy.age) == (3, 9, 3.0)
    assert await SupervisorRef(stage.registry, "top").snapshot() == top.children


async def test_a_snapshot_tells_how_a_child_ended_and_how_often(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("a"), backoff=Backoff(base=10))
    for _ in range(2):
        stage.players["a"].crash(ValueError("bug"))
        await trio.sleep(1)
    (row,) = await top.snapshot()
    assert (row.state, row.restarts, row.incarnation) == (State.BACKING_OFF, 2, 2)
    assert row.last_exit == "crashed ValueError: bug"
    assert row.age is None
    await trio.sleep(10)
    (row,) = await top.snapshot()
    assert row.age == pytest.approx(1)


async def test_a_snapshot_can_be_taken_while_things_start_and_stop(
    stage: Stage, autojump_clock: MockClock
) -> None:
    seen: list[str] = []
    slow = Script(start_takes=2, stop_takes=2)
    low = SupervisorSpec([stage.child("leaf", slow)])
    top = await stage.run()
    stage.nursery.start_soon(top.start_child, supervisor_spec("low", low))

    async def look() -> None:
        for row in await top.snapshot():
            below = ",".join(f"{leaf.id} {leaf.state.value}" for leaf in row.children)
            seen.append(f"{row.state.value} [{below}]")

    for step in range(3):
        await trio.sleep(1.5 if step else 1)
        await look()
        if step == 1:
            stage.nursery.start_soon(top.terminate_child, "low")
    await trio.sleep(2)
    await look()
    assert seen == [
        "starting [leaf starting]", "running [leaf running]",
        "stopping [leaf stopping]", "terminated []",
    ]  # fmt: skip


async def test_a_probe_that_fails_spoils_no_snapshot(
    stage: Stage, autojump_clock: MockClock
) -> None:
    def broken() -> Statistics | None:
        raise OSError

    async def idle(*, task_status: StartedCallback) -> None:
        task_status.started(None)
        await trio.sleep_forever()

    top = await stage.run(ChildSpec("a", idle, probe=broken))
    (row,) = await top.snapshot()
    assert (row.state, row.mailbox_depth) == (State.RUNNING, None)

"""How children are stopped: politely, in time, by force, and what cannot be stopped at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from supervisors import (
    INFINITY,
    KILL,
    ONE_FOR_ALL,
    PERMANENT,
    TEMPORARY,
    TRANSIENT,
    ChildSpec,
    How,
    ReportKind,
    Restart,
    State,
    SupervisorSpec,
    supervisor_spec,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from actors import StartedCallback
    from tests.supervisors.conftest import Stage

from tests.supervisors.conftest import Script

FOREVER = 10**6


async def stop_takes(stage: Stage) -> float:
    began = trio.current_time()
    await stage.stop()
    return round(trio.current_time() - began, 3)


async def test_b20_a_sleepy_child_is_killed_after_its_time_and_a_polite_one_is_not(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(
        stage.child("polite", Script(stop_takes=2), shutdown=3),
        stage.child("sleepy", Script(stop_takes=FOREVER), shutdown=4),
    )
    assert await stop_takes(stage) == 6
    assert stage.did("cancelled") == ["cancelled sleepy"]
    (report,) = stage.reports
    assert (report.kind, report.child, report.how) == (
        ReportKind.SHUTDOWN_ERROR, "sleepy", How.KILLED,
    )  # fmt: skip


async def test_b20_three_children_as_in_the_trial(stage: Stage, autojump_clock: MockClock) -> None:
    works = {"a": 20, "b": 7, "c": 2}
    await stage.run(
        *[stage.child(name, Script(stop_takes=work), shutdown=3) for name, work in works.items()]
    )
    await stage.stop()
    assert [act for act in stage.acts if act[1] == "end"] == [
        (2, "end", "c"), (5, "end", "b"), (8, "end", "a"),
    ]  # fmt: skip


async def test_b20_a_child_without_a_polite_stop_is_cancelled_and_may_clean_up(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async def tidy(*, task_status: StartedCallback) -> None:
        task_status.started(None)
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)

    await stage.run(ChildSpec("tidy", tidy, shutdown=4), ChildSpec("slow", tidy, shutdown=1))
    assert await stop_takes(stage) == 5  # 1 for its shutdown and 1 for the grace, then 3
    assert [(report.kind, report.child) for report in stage.reports] == [
        (ReportKind.LEAKED, "slow")
    ]


async def test_b21_infinity_waits_for_workers_and_supervisors(
    stage: Stage, autojump_clock: MockClock
) -> None:
    slow = Script(stop_takes=5000)
    below = SupervisorSpec([stage.child("leaf", slow, shutdown=INFINITY)])
    await stage.run(stage.child("worker", slow, shutdown=INFINITY), supervisor_spec("below", below))
    assert await stop_takes(stage) == 10_000
    assert stage.reports == []


async def test_b22_kill_is_at_once(stage: Stage, autojump_clock: MockClock) -> None:
    top = await stage.run(stage.child("static", Script(stop_takes=FOREVER), shutdown=KILL))
    for number in range(10):
        await top.start_child(stage.child(f"n{number}", Script(stop_takes=FOREVER), shutdown=KILL))
    assert await stop_takes(stage) == 0
    assert len(stage.did("cancelled")) == 11
    assert stage.did("asked") == []
    assert stage.reports == []


async def test_b22_a_killed_supervisor_kills_its_own(
    stage: Stage, autojump_clock: MockClock
) -> None:
    leaves = [stage.child(name, Script(stop_takes=FOREVER), shutdown=50) for name in "ab"]
    low = supervisor_spec("low", SupervisorSpec([*leaves, stage.child("gone", restart=TRANSIENT)]))
    await stage.run(supervisor_spec("mid", SupervisorSpec([low]), shutdown=KILL))
    stage.players["gone"].leave()
    await trio.testing.wait_all_tasks_blocked()
    assert await stop_takes(stage) == 0
    assert sorted(stage.did("cancelled")) == ["cancelled a", "cancelled b"]


async def test_b20_a_supervisor_whose_time_is_up_hurries(
    stage: Stage, autojump_clock: MockClock
) -> None:
    leaves = [stage.child(name, Script(stop_takes=FOREVER), shutdown=50) for name in "abc"]
    low = supervisor_spec("low", SupervisorSpec(leaves))
    await stage.run(supervisor_spec("mid", SupervisorSpec([low]), shutdown=7))
    assert await stop_takes(stage) == 7
    assert len(stage.did("cancelled")) == 3


@pytest.mark.parametrize("restart", [PERMANENT, TRANSIENT, TEMPORARY])
async def test_b23_children_that_end_by_themselves_do_not_disturb_the_stop(
    stage: Stage, autojump_clock: MockClock, restart: Restart
) -> None:
    await stage.run(
        *[stage.child(name, restart=restart) for name in ("leave", "crash", "both")],
        stage.child("last", Script(stop_takes=3)),
    )
    assert stage.tree is not None
    stage.tree.stop()
    await trio.sleep(1)
    stage.players["leave"].leave()
    stage.players["crash"].crash(OSError("while stopping"))
    stage.scripts["both"].stop_error = OSError("when asked")
    await stage.ended.wait()
    assert stage.error is None
    assert len(stage.did("start")) == 4
    assert [(report.kind, report.child) for report in stage.reports] == [
        (ReportKind.CRASH, "crash"), (ReportKind.SHUTDOWN_ERROR, "both"),
    ]  # fmt: skip


async def test_b24_dynamic_children_stop_in_one_timeout_not_in_many(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("static"))
    for number in range(100):
        await top.start_child(stage.child(f"n{number}", Script(stop_takes=FOREVER), shutdown=5))
    assert await stop_takes(stage) == 5
    assert stage.did()[-1] == "end static"


async def test_b24_in_a_group_dynamic_children_keep_the_order(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(strategy=ONE_FOR_ALL)
    for name in "abc":
        await top.start_child(stage.child(name, Script(stop_takes=1)))
    assert await stop_takes(stage) == 3
    assert stage.did("asked") == ["asked c", "asked b", "asked a"]


async def test_t12_a_kill_is_only_a_request_until_the_child_waits(
    stage: Stage, autojump_clock: MockClock
) -> None:
    steps: list[str] = []

    async def busy(*, task_status: StartedCallback) -> None:
        task_status.started(None)
        await trio.sleep(1)
        assert stage.tree is not None
        stage.tree.kill()
        steps.append("works on, since it does not wait")
        await trio.lowlevel.checkpoint()
        steps.append("never")

    await stage.run(ChildSpec("busy", busy))
    await stage.ended.wait()
    assert steps == ["works on, since it does not wait"]


async def test_t10_a_clean_up_within_the_grace_is_waited_for(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async def tidy(*, task_status: StartedCallback) -> None:
        task_status.started(lambda: None)  # hears the polite stop and does nothing
        try:
            await trio.sleep_forever()
        finally:
            with trio.move_on_after(0.5, shield=True):
                await trio.sleep(0.4)
                stage.note("tidied", "up")

    await stage.run(ChildSpec("tidy", tidy, shutdown=2))
    assert await stop_takes(stage) == 2.4
    assert stage.did() == ["tidied up"]
    assert stage.told(ReportKind.LEAKED) == []


@pytest.mark.parametrize("error", [RuntimeError("no stop"), SystemExit(3)])
async def test_b23_a_polite_stop_that_raises_is_reported_and_the_child_killed(
    stage: Stage, autojump_clock: MockClock, error: BaseException
) -> None:
    def broken() -> None:
        raise error

    async def worker(*, task_status: StartedCallback) -> None:
        task_status.started(broken)
        await trio.sleep_forever()

    await stage.run(stage.child("other"), ChildSpec("one", worker))
    assert await stop_takes(stage) == 0
    (report,) = stage.reports
    assert (report.kind, report.child) == (ReportKind.SHUTDOWN_ERROR, "one")
    assert report.failure is not None
    assert report.failure.type == type(error).__name__
    assert stage.did()[-1] == "end other"


async def test_b49_a_loaded_tree_stops_within_the_sum_of_its_bounds(
    stage: Stage, autojump_clock: MockClock
) -> None:
    release = trio.Event()
    scripts: list[tuple[Script, Any]] = [
        (Script(stop_takes=1), 3), (Script(stop_takes=FOREVER), 3),
        (Script(stop_error=OSError()), 3), (Script(stubborn=release, stop_takes=FOREVER), 3),
    ]  # fmt: skip
    branches = []
    for branch in range(3):
        leaves = [
            stage.child(f"{branch}.{number}", script, shutdown=shutdown)
            for number, (script, shutdown) in enumerate(scripts)
        ]
        branches.append(supervisor_spec(f"b{branch}", SupervisorSpec(leaves)))
    top = await stage.run(*branches)
    for number in range(200):
        await top.start_child(stage.child(f"n{number}", Script(stop_takes=number % 5), shutdown=3))
    assert stage.tree is not None
    stage.tree.stop()
    # dynamic ones 3 s; a branch: 1 + 3 + 0 + (3 and 1 of grace)
    await trio.sleep(3 + 3 * 8)
    await trio.testing.wait_all_tasks_blocked()
    assert stage.tree.snapshot().state is State.STOPPED
    assert len(stage.tree.leaked()) == 3
    release.set()
    await stage.ended.wait()

"""How many restarts are too many, what happens then, and how a back-off spreads them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import supervisors
from supervisors import (
    ONE_FOR_ALL,
    ONE_FOR_ONE,
    PERMANENT,
    REST_FOR_ONE,
    TEMPORARY,
    TRANSIENT,
    Backoff,
    ChildSpec,
    Escalated,
    Intensity,
    ReportKind,
    Restart,
    ShutdownReason,
    State,
    Strategy,
    SupervisorRef,
    SupervisorSpec,
    supervisor_spec,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trio.testing import MockClock

    from actors import StartedCallback
    from tests.supervisors.conftest import Stage

from tests.supervisors.conftest import Script


async def crash(stage: Stage, name: str, times: int = 1, pause: float = 0) -> None:
    for _ in range(times):
        stage.players[name].crash(ValueError("bug"))
        await trio.testing.wait_all_tasks_blocked()
        if pause:
            await trio.sleep(pause)


@pytest.mark.parametrize("strategy", Strategy)
async def test_b13_the_allowed_restarts_are_fine_and_one_more_ends_the_supervisor(
    stage: Stage, autojump_clock: MockClock, strategy: Strategy
) -> None:
    await stage.run(
        stage.child("a"), stage.child("b"), strategy=strategy, intensity=Intensity(3, 5)
    )
    await crash(stage, "b", 3)
    assert not stage.ended.is_set()
    assert stage.players["b"].number == 4
    await crash(stage, "b")
    await stage.ended.wait()
    assert isinstance(stage.error, Escalated)
    assert isinstance(stage.error, ShutdownReason)
    assert (stage.error.supervisor, stage.error.child) == ("top", "b")
    assert stage.did()[-1] == "end a"
    assert [report.child for report in stage.told(ReportKind.GAVE_UP)] == ["b"]
    assert stage.registry.names() == ()


async def test_b13_with_intensity_0_the_first_crash_escalates(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(stage.child("a"), intensity=Intensity(0, 5))
    await crash(stage, "a")
    assert isinstance(stage.error, Escalated)


async def test_b14_slow_crashes_never_escalate(stage: Stage, autojump_clock: MockClock) -> None:
    await stage.run(stage.child("a"), intensity=Intensity(1, 5))
    await crash(stage, "a", 50, pause=5.1)
    assert not stage.ended.is_set()
    assert stage.players["a"].number == 51


def test_b14_the_wall_clock_has_no_say() -> None:
    """Nothing in the package can read it; all time is trio's, which never goes back."""
    imported = set()
    for file in Path(supervisors.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    assert "trio" in imported
    assert not imported & {"time", "datetime"}


@pytest.mark.parametrize("strategy", Strategy)
async def test_b15_failing_restarts_count_and_escalate(
    stage: Stage, autojump_clock: MockClock, strategy: Strategy
) -> None:
    await stage.run(stage.child("a"), stage.child("b"), strategy=strategy)
    stage.scripts["b"].fail_starts = [OSError()] * 10
    await crash(stage, "a" if strategy is ONE_FOR_ALL else "b")
    await stage.ended.wait()
    assert isinstance(stage.error, Escalated)
    assert len(stage.told(ReportKind.RESTART)) == 3
    assert len(stage.told(ReportKind.START_FAILED)) == 3
    assert stage.did().count("end a") == stage.did().count("start a")


@pytest.mark.parametrize(
    ("restart", "state"),
    [(PERMANENT, State.RUNNING), (TRANSIENT, State.STOPPED), (TEMPORARY, None)],
)
async def test_b15_the_parent_applies_its_own_policy_to_a_supervisor_that_gave_up(
    stage: Stage, autojump_clock: MockClock, restart: Restart, state: State | None
) -> None:
    flat = SupervisorSpec([stage.child("leaf")], intensity=Intensity(0, 5))
    top = await stage.run(supervisor_spec("below", flat, restart=restart), stage.child("other"))
    await crash(stage, "leaf")
    rows = dict(stage.ids(await top.which_children()))
    assert rows.get("below") is state
    assert rows["other"] is State.RUNNING
    assert [(report.kind, report.supervisor) for report in stage.reports][:2] == [
        (ReportKind.CRASH, "top/below"), (ReportKind.GAVE_UP, "top/below"),
    ]  # fmt: skip
    assert len(stage.told(ReportKind.CRASH)) == 1


async def test_b15_it_climbs_level_by_level_to_the_top(
    stage: Stage, autojump_clock: MockClock
) -> None:
    below = SupervisorSpec([stage.child("leaf")], intensity=Intensity(1, 50))
    await stage.run(supervisor_spec("below", below), intensity=Intensity(1, 50))
    await crash(stage, "leaf", 3)
    assert not stage.ended.is_set()
    await crash(stage, "leaf")
    await stage.ended.wait()
    assert isinstance(stage.error, Escalated)
    assert stage.error.supervisor == "top"


async def test_b15_giving_up_while_it_starts_is_a_failed_start(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async def hasty(*, task_status: StartedCallback) -> None:
        task_status.started(None)
        raise ValueError

    children = [ChildSpec("a", hasty), stage.child("b", Script(start_takes=1)), stage.child("c")]
    with pytest.raises(Escalated):
        await stage.run(*children, intensity=Intensity(0, 5))
    assert stage.did() == ["start b", "ready b", "asked b", "end b"]


PROGRAM = """
import trio
from supervisors import ChildSpec, SupervisorSpec, run_tree

async def worker(*, task_status):
    task_status.started(None)
    {body}

trio.run(run_tree, SupervisorSpec([ChildSpec("one", worker)]))
"""


@pytest.mark.real
@pytest.mark.parametrize(("body", "status"), [("raise ValueError", 1), ("raise SystemExit(7)", 7)])
def test_b15_t13_the_process_ends_with_a_status(body: str, status: int) -> None:
    root = Path(__file__).parents[2]
    program = PROGRAM.format(body=body)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, timeout=60
    )
    assert done.returncode == status, done.stderr


async def test_b17_a_rebuilt_subtree_has_its_static_children_and_reads_the_others_again(
    stage: Stage, autojump_clock: MockClock
) -> None:
    rows = ["x", "y"]

    async def read() -> Sequence[ChildSpec]:
        return [stage.child(name) for name in rows]

    registry = stage.registry
    static = SupervisorSpec([stage.child("s")], name="static", registry=registry)
    dynamic = SupervisorSpec(read, name="dynamic", registry=registry, intensity=Intensity(0, 5))
    await stage.run(
        supervisor_spec("dynamic", dynamic), supervisor_spec("static", static),
        strategy=REST_FOR_ONE,
    )  # fmt: skip
    await SupervisorRef(registry, "static").start_child(stage.child("by order"))
    rows[:] = ["y", "z"]
    await crash(stage, "x")
    below = await SupervisorRef(registry, "dynamic").which_children()
    assert stage.ids(below) == [("y", State.RUNNING), ("z", State.RUNNING)]
    beside = await SupervisorRef(registry, "static").which_children()
    assert stage.ids(beside) == [("s", State.RUNNING)]


async def test_b14_a_back_off_spaces_the_restarts_and_starts_anew_after_a_steady_time(
    stage: Stage, autojump_clock: MockClock
) -> None:
    backoff = Backoff(base=1, factor=2, cap=3, steady=60)
    await stage.run(stage.child("a"), backoff=backoff, intensity=Intensity(100, 5))
    for _ in range(5):
        await crash(stage, "a")
        await trio.sleep(10)
    await trio.sleep(60)
    await crash(stage, "a")
    delays = [report.delay for report in stage.told(ReportKind.RESTART)]
    assert delays == [0, 1, 2, 3, 3, 0]
    ends = [at for at, act, _ in stage.acts if act == "end"]
    ready = [at for at, act, _ in stage.acts if act == "ready"][1:]
    assert [after - before for before, after in zip(ends, ready, strict=True)] == delays


@pytest.mark.parametrize("strategy", [ONE_FOR_ALL, REST_FOR_ONE])
async def test_a_back_off_of_a_group_is_waited_for_with_all_of_them_stopped(
    stage: Stage, autojump_clock: MockClock, strategy: Strategy
) -> None:
    backoff = Backoff(first=4)
    top = await stage.run(stage.child("a"), stage.child("b"), strategy=strategy, backoff=backoff)
    await crash(stage, "a")
    await trio.sleep(3)
    assert stage.ids(await top.which_children()) == [
        ("a", State.BACKING_OFF), ("b", State.BACKING_OFF),
    ]  # fmt: skip
    assert (await top.count_children()).active == 0
    await trio.sleep(2)
    assert stage.did("ready")[2:] == ["ready a", "ready b"]


async def test_a_back_off_goes_on_for_the_others_of_a_group_when_one_is_terminated(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(
        stage.child("a"), stage.child("b"), strategy=ONE_FOR_ALL, backoff=Backoff(first=4)
    )
    await crash(stage, "a")
    await top.remove_child("a")
    await trio.sleep(5)
    assert stage.ids(await top.which_children()) == [("b", State.RUNNING)]


async def test_a_second_crash_in_a_group_sets_the_longer_back_off(
    stage: Stage, autojump_clock: MockClock
) -> None:
    backoff = Backoff(first=4, base=10, factor=1)
    top = await stage.run(
        stage.child("a"), stage.child("b"), stage.child("c"),
        strategy=REST_FOR_ONE, backoff=backoff, intensity=Intensity(9, 5),
    )  # fmt: skip
    await crash(stage, "c")
    await trio.sleep(3)
    await crash(stage, "b")
    await trio.sleep(3)
    assert [row.state for row in await top.which_children()][1:] == [State.BACKING_OFF] * 2
    await trio.sleep(2)
    assert stage.did("ready")[3:] == ["ready b", "ready c"]


async def test_a_supervisor_of_one_keeps_a_crash_loop_from_its_siblings(
    stage: Stage, autojump_clock: MockClock
) -> None:
    def alone(name: str, **policy: Any) -> ChildSpec:
        return supervisor_spec(name, SupervisorSpec([stage.child(f"{name}/it")]), restart=TEMPORARY)

    top = await stage.run(alone("bad"), alone("good"), strategy=ONE_FOR_ONE)
    stage.scripts["bad/it"] = Script(fail_starts=[OSError()] * 50)
    await crash(stage, "bad/it")
    assert stage.ids(await top.which_children()) == [("good", State.RUNNING)]
    assert stage.players["good/it"].number == 1

"""The top of a tree: how it is ended from outside and from inside, and what it says at the end."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from supervisors import (
    ChildSpec,
    How,
    Report,
    ReportKind,
    RunningTree,
    ShutdownReason,
    StartFailed,
    State,
    SupervisorSpec,
    run_tree,
    supervisor_spec,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import StartedCallback
    from tests.supervisors.conftest import Stage

from tests.supervisors.conftest import Script


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(7),
        KeyboardInterrupt(),
        BaseExceptionGroup("deep", [ValueError(), BaseExceptionGroup("er", [SystemExit(7)])]),
    ],
)
async def test_t13_an_exit_in_a_child_stops_the_tree_in_order_and_keeps_its_code(
    stage: Stage, autojump_clock: MockClock, error: BaseException
) -> None:
    below = SupervisorSpec([stage.child("leaf"), stage.child("late")])
    await stage.run(
        stage.child("early", Script(stop_takes=1)), supervisor_spec("below", below),
        stage.child("last"),
    )  # fmt: skip
    stage.players["leaf"].crash(error)
    await stage.ended.wait()
    assert isinstance(stage.error, KeyboardInterrupt | SystemExit)
    if isinstance(stage.error, SystemExit):
        assert stage.error.code == 7
    assert stage.did("end") == ["end leaf", "end late", "end last", "end early"]
    assert stage.told(ReportKind.CRASH) == []
    assert stage.told(ReportKind.RESTART) == []


async def test_t13_an_exit_during_a_start_is_an_exit_too(
    stage: Stage, autojump_clock: MockClock
) -> None:
    with pytest.raises(SystemExit) as caught:
        await stage.run(stage.child("a"), stage.child("b", Script(fail_starts=[SystemExit(4)])))
    assert caught.value.code == 4
    assert stage.did("end") == ["end b", "end a"]


async def test_t13_an_exit_during_a_restart_is_an_exit_too(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(stage.child("a"), stage.child("b"))
    stage.scripts["b"].fail_starts = [SystemExit(6)]
    stage.players["b"].crash(ValueError())
    await stage.ended.wait()
    assert isinstance(stage.error, SystemExit)
    assert stage.error.code == 6
    assert stage.did("end") == ["end b", "end b", "end a"]


async def test_t13_an_exit_while_it_stops_keeps_its_code(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(stage.child("a"), stage.child("b", Script(stop_error=SystemExit(5))))
    await stage.stop()
    assert isinstance(stage.error, SystemExit)
    assert stage.error.code == 5
    assert stage.did("end") == ["end b", "end a"]


async def test_a_cancellation_from_outside_is_an_ordered_stop(
    stage: Stage, autojump_clock: MockClock
) -> None:
    began = trio.current_time()
    below = SupervisorSpec([stage.child("leaf", Script(stop_takes=2))])
    house = SupervisorSpec(
        [stage.child("first", Script(stop_takes=1)), supervisor_spec("b", below)]
    )
    with trio.move_on_after(5):
        await run_tree(house)
    assert stage.did("asked", "end") == ["asked leaf", "end leaf", "asked first", "end first"]
    assert trio.current_time() - began == pytest.approx(8)


async def test_kill_ends_a_stop_that_takes_too_long(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(*[stage.child(name, Script(stop_takes=1000), shutdown=900) for name in "ab"])
    assert stage.tree is not None
    stage.tree.stop()
    await trio.sleep(2)
    stage.tree.kill()
    await stage.ended.wait()
    assert sorted(stage.acts[-4:]) == [
        (2, "cancelled", "a"), (2, "cancelled", "b"), (2, "end", "a"), (2, "end", "b"),
    ]  # fmt: skip
    assert stage.error is None
    stage.tree.stop()
    assert stage.tree.snapshot().state is State.STOPPED


async def test_b25_whoever_runs_the_tree_learns_who_leaked_before_it_waits_for_them(
    stage: Stage, autojump_clock: MockClock
) -> None:
    release = trio.Event()
    told: list[tuple[str, ...]] = []

    def on_leaked(paths: tuple[str, ...]) -> None:
        told.append(paths)
        release.set()

    script = Script(polite=False, stubborn=release)
    house = SupervisorSpec([stage.child("bad", script, shutdown=0)])
    with trio.move_on_after(1):
        await run_tree(house, name="booper", on_leaked=on_leaked)
    assert told == [("booper/bad",)]


class Pit:
    """Children for a program of its own, because Ctrl-C needs the main task."""

    def __init__(self) -> None:
        self.acts: list[str] = []

    def child(
        self, name: str, *, ready: Callable[[], None], asked: Callable[[], None]
    ) -> ChildSpec:
        async def worker(*, task_status: StartedCallback) -> None:
            told = trio.Event()
            task_status.started(told.set)
            await trio.testing.wait_all_tasks_blocked()
            ready()
            try:
                await told.wait()
                self.acts.append(f"asked {name}")
                asked()
            finally:
                self.acts.append(f"end {name}")
            await trio.sleep_forever()

        return ChildSpec(name, worker, shutdown=1000)

    def run(self, *children: ChildSpec) -> None:
        """Run them to the end, which is a KeyboardInterrupt."""
        with pytest.raises(KeyboardInterrupt):
            trio.run(run_tree, SupervisorSpec(children), clock=MockClock(autojump_threshold=0))


def nothing() -> None:
    pass


def leave() -> None:
    raise ShutdownReason


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


@trio.lowlevel.enable_ki_protection
def ctrl_c_while_idle() -> None:
    """As if it came while trio waits: it is then delivered to the main task."""
    signal.raise_signal(signal.SIGINT)


def test_t13_a_ctrl_c_that_hits_a_child_stops_the_tree_in_order() -> None:
    pit = Pit()
    first = pit.child("first", ready=nothing, asked=leave)
    pit.run(first, pit.child("hit", ready=ctrl_c, asked=leave))
    assert pit.acts == ["asked first", "end first"]


def test_t13_a_ctrl_c_that_hits_nobody_stops_the_tree_in_order() -> None:
    pit = Pit()
    first = pit.child("first", ready=nothing, asked=leave)
    pit.run(first, pit.child("last", ready=ctrl_c_while_idle, asked=leave))
    assert pit.acts == ["asked last", "end last", "asked first", "end first"]


def test_t13_another_ctrl_c_kills() -> None:
    pit = Pit()
    first = pit.child("first", ready=nothing, asked=leave)
    pit.run(first, pit.child("last", ready=ctrl_c_while_idle, asked=ctrl_c_while_idle))
    assert pit.acts == ["asked last", "end last", "end first"]  # who was not even asked


async def test_the_root_is_ready_when_all_have_started_and_names_every_path(
    stage: Stage, autojump_clock: MockClock
) -> None:
    reports: list[Report] = []
    tree: RunningTree = await stage.nursery.start(
        lambda task_status: run_tree(
            SupervisorSpec([supervisor_spec("low", SupervisorSpec([stage.child("leaf")]))]),
            name="booper", reporter=reports.append, task_status=task_status,
        )
    )  # fmt: skip
    assert stage.did() == ["start leaf", "ready leaf"]
    stage.players["leaf"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    assert (reports[0].supervisor, reports[0].child) == ("booper/low", "leaf")
    assert reports[0].how is How.CRASHED
    tree.stop()


async def test_a_root_that_does_not_start_raises_why(
    stage: Stage, autojump_clock: MockClock
) -> None:
    with pytest.raises(StartFailed) as caught:
        await run_tree(SupervisorSpec([stage.child("a", Script(fail_starts=[OSError("x")]))]))
    assert isinstance(caught.value.__cause__, OSError)

"""What becomes of a child, by how it ended and by its restart policy; and who is not touched."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from supervisors import (
    PERMANENT,
    TEMPORARY,
    TRANSIENT,
    ChildSpec,
    How,
    ReportKind,
    Restart,
    ShutdownReason,
    State,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from actors import StartedCallback
    from supervisors import SupervisorRef
    from tests.supervisors.conftest import Stage

from tests.supervisors.conftest import Script


async def stale_cancelled() -> trio.Cancelled:
    """A Cancelled that belongs to a scope that is long gone; only a test may keep one."""
    kept: list[trio.Cancelled] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.sleep_forever()
        except trio.Cancelled as cancelled:
            kept.append(cancelled)
            raise
    return kept[0]


async def end(stage: Stage, top: SupervisorRef, way: str) -> None:
    player = stage.players["one"]
    match way:
        case "returned":
            player.leave()
        case "stopped by us":
            await top.terminate_child("one")
        case "raised":
            player.crash(ValueError("bug"))
        case "cancelled from outside":
            player.crash(await stale_cancelled())
        case "killed":
            await top.kill_child("one")
        case "shutdown":
            player.crash(ShutdownReason())
    await trio.testing.wait_all_tasks_blocked()


BACK, DOWN, FORGOTTEN = "back", "down", "forgotten"
CELLS = [
    # way of ending, permanent, transient, temporary
    ("returned", BACK, DOWN, FORGOTTEN),
    ("stopped by us", DOWN, DOWN, FORGOTTEN),
    ("raised", BACK, BACK, FORGOTTEN),
    ("cancelled from outside", BACK, BACK, FORGOTTEN),
    ("killed", BACK, BACK, FORGOTTEN),
    ("shutdown", BACK, DOWN, FORGOTTEN),
]


async def outcome(stage: Stage, restart: Restart, way: str) -> str:
    top = await stage.run(stage.child("one", restart=restart), stage.child("other"))
    await end(stage, top, way)
    rows = dict(stage.ids(await top.which_children()))
    starts = stage.did("start").count("start one")
    assert rows["other"] is State.RUNNING
    if "one" not in rows:
        assert starts == 1
        return FORGOTTEN
    if rows["one"] is State.RUNNING:
        assert starts == 2
        return BACK
    assert starts == 1
    assert rows["one"] in (State.STOPPED, State.TERMINATED)
    assert (await top.restart_child("one")).state is State.RUNNING
    return DOWN


@pytest.mark.parametrize(("way", "permanent", "transient", "temporary"), CELLS)
async def test_b06_permanent(
    stage: Stage,
    autojump_clock: MockClock,
    way: str,
    permanent: str,
    transient: str,
    temporary: str,
) -> None:
    assert await outcome(stage, PERMANENT, way) == permanent


@pytest.mark.parametrize(("way", "permanent", "transient", "temporary"), CELLS)
async def test_b07_transient(
    stage: Stage,
    autojump_clock: MockClock,
    way: str,
    permanent: str,
    transient: str,
    temporary: str,
) -> None:
    assert await outcome(stage, TRANSIENT, way) == transient


@pytest.mark.parametrize(("way", "permanent", "transient", "temporary"), CELLS)
async def test_b08_temporary_is_forgotten_and_its_id_is_free(
    stage: Stage,
    autojump_clock: MockClock,
    way: str,
    permanent: str,
    transient: str,
    temporary: str,
) -> None:
    assert await outcome(stage, TEMPORARY, way) == temporary


async def test_b08_the_id_of_a_temporary_child_may_be_used_again(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("one", restart=TEMPORARY))
    await end(stage, top, "raised")
    assert (await top.start_child(stage.child("one"))).incarnation == 1


@pytest.mark.parametrize(
    ("way", "how"),
    [
        ("raised", How.CRASHED),
        ("cancelled from outside", How.CANCELLED),
        ("killed", How.KILLED),
    ],
)
async def test_t03_an_abnormal_end_is_told_once_and_by_its_name(
    stage: Stage, autojump_clock: MockClock, way: str, how: How
) -> None:
    top = await stage.run(stage.child("one"))
    await end(stage, top, way)
    assert [(report.kind, report.how) for report in stage.reports] == [
        (ReportKind.CRASH, how),
        (ReportKind.RESTART, None),
    ]
    (row,) = await top.which_children()
    assert (row.last_exit or "").startswith(how.value)


@pytest.mark.parametrize("way", ["returned", "stopped by us", "shutdown"])
async def test_t03_an_orderly_end_is_no_crash(
    stage: Stage, autojump_clock: MockClock, way: str
) -> None:
    top = await stage.run(stage.child("one"))
    await end(stage, top, way)
    assert stage.told(ReportKind.CRASH) == []
    assert stage.told(ReportKind.SHUTDOWN_ERROR) == []


async def falling(*, task_status: StartedCallback) -> None:
    """Crashes in its cleanup: that replaces the Cancelled, and no scope has caught anything."""
    task_status.started(None)
    try:
        await trio.sleep_forever()
    finally:
        raise OSError("disk")


async def test_t03_a_crash_while_it_is_cancelled_is_a_crash(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(ChildSpec("one", falling), ChildSpec("two", falling))
    await top.kill_child("one")
    await trio.testing.wait_all_tasks_blocked()
    assert [(report.kind, report.how) for report in stage.reports] == [
        (ReportKind.CRASH, How.CRASHED),
        (ReportKind.RESTART, None),
    ]
    await top.terminate_child("two")
    assert (stage.reports[-1].kind, stage.reports[-1].how) == (
        ReportKind.SHUTDOWN_ERROR, How.CRASHED,
    )  # fmt: skip


async def test_t03_a_worker_that_crashes_in_its_cleanup_is_reported(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("one", Script(stop_error=OSError("disk"))))
    await top.terminate_child("one")
    (report,) = stage.reports
    assert (report.kind, report.how) == (ReportKind.SHUTDOWN_ERROR, How.CRASHED)
    (row,) = await top.which_children()
    assert row.state is State.TERMINATED
    assert row.last_exit == "crashed OSError: disk"


async def test_t01_a_raising_child_leaves_nine_others_untouched(
    stage: Stage, autojump_clock: MockClock
) -> None:
    names = [f"n{number}" for number in range(10)]
    await stage.run(*[stage.child(name) for name in names])
    before = dict(stage.players)
    stage.players["n4"].crash(ExceptionGroup("many", [ValueError(), KeyError()]))
    await trio.testing.wait_all_tasks_blocked()
    changed = [name for name in names if stage.players[name] is not before[name]]
    assert changed == ["n4"]
    assert stage.did("end", "cancelled") == ["end n4"]


async def swallower(*, task_status: StartedCallback) -> None:
    task_status.started(None)
    with contextlib.suppress(trio.Cancelled):
        await trio.sleep_forever()


async def test_t02_a_worker_that_swallows_its_cancellation_has_returned(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(ChildSpec("one", swallower, restart=TRANSIENT))
    await top.kill_child("one")
    await trio.testing.wait_all_tasks_blocked()
    assert (await top.which_children())[0].last_exit == "returned"


async def cancelled_twice(*, task_status: StartedCallback) -> None:
    task_status.started(None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await trio.sleep_forever()


async def test_t02_a_group_of_nothing_but_cancellations_is_a_kill(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(ChildSpec("one", cancelled_twice, restart=TEMPORARY))
    await top.kill_child("one")
    await trio.testing.wait_all_tasks_blocked()
    assert [report.how for report in stage.reports] == [How.KILLED]


async def test_t03_several_stale_cancellations_are_a_cancellation_from_outside(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(stage.child("one", restart=TEMPORARY))
    both = [await stale_cancelled(), await stale_cancelled()]
    stage.players["one"].crash(BaseExceptionGroup("both", both))
    await trio.testing.wait_all_tasks_blocked()
    assert [report.how for report in stage.reports] == [How.CANCELLED]

"""What cannot be stopped: it is reported and abandoned, and hangs nobody."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from supervisors import (
    ONE_FOR_ALL,
    PERMANENT,
    TEMPORARY,
    ChildSpec,
    Escalated,
    Intensity,
    Leaked,
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


async def swallowing(*, task_status: StartedCallback) -> None:
    """Takes every cancellation for a bad dream."""
    task_status.started(None)
    while not RELEASE[0].is_set():
        try:
            await trio.sleep_forever()
        except BaseException:
            with trio.CancelScope(shield=True):
                await RELEASE[0].wait()


RELEASE: list[trio.Event] = []


@pytest.mark.parametrize("way", ["shields itself", "swallows", "runs elsewhere"])
async def test_b25_a_child_that_cannot_be_stopped_does_not_hang_the_stop(
    stage: Stage, autojump_clock: MockClock, way: str
) -> None:
    release = trio.Event()
    RELEASE[:] = [release]

    async def elsewhere(*, task_status: StartedCallback) -> None:
        stage.nursery.start_soon(trio.sleep_forever)
        task_status.started(None)
        await trio.sleep_forever()

    stubborn = stage.child("bad", Script(polite=False, stubborn=release), shutdown=2)
    children = {
        "shields itself": stubborn,
        "swallows": ChildSpec("bad", swallowing, shutdown=2),
        "runs elsewhere": ChildSpec("bad", elsewhere, shutdown=2),
    }
    below = SupervisorSpec([stage.child("good"), children[way]])
    top = await stage.run(supervisor_spec("below", below))
    began = trio.current_time()
    await top.terminate_child("below")
    leaks = way != "runs elsewhere"
    assert trio.current_time() - began == (3 if leaks else 0)
    assert [(report.kind, report.supervisor, report.child) for report in stage.reports] == [
        (ReportKind.LEAKED, "top/below", "bad")
    ] * leaks
    assert stage.did("end")[-1:] == ["end good"]
    assert stage.tree is not None
    assert stage.tree.leaked() == ("top/below/bad",) * leaks
    release.set()
    await trio.testing.wait_all_tasks_blocked()
    assert stage.tree.leaked() == ()


async def test_b25_nobody_takes_the_place_of_a_leaked_child_until_it_is_gone(
    stage: Stage, autojump_clock: MockClock
) -> None:
    release = trio.Event()
    top = await stage.run(stage.child("bad", Script(polite=False, stubborn=release), shutdown=0))
    for _ in range(2):
        assert (await top.terminate_child("bad")).state is State.LEAKED
    for order in (top.restart_child, top.delete_child, top.remove_child):
        with pytest.raises(Leaked):
            await order("bad")
    assert len(stage.reports) == 1
    release.set()
    await trio.testing.wait_all_tasks_blocked()
    assert (await top.which_children())[0].state is State.STOPPED
    assert (await top.restart_child("bad")).state is State.RUNNING


async def test_b25_a_leaked_temporary_child_is_forgotten_when_it_ends(
    stage: Stage, autojump_clock: MockClock
) -> None:
    release = trio.Event()
    script = Script(polite=False, stubborn=release)
    top = await stage.run(stage.child("bad", script, shutdown=0, restart=TEMPORARY))
    await top.terminate_child("bad")
    assert (await top.count_children()).specs == 1
    release.set()
    await trio.testing.wait_all_tasks_blocked()
    assert await top.which_children() == ()


@pytest.mark.parametrize("restart", [PERMANENT, TEMPORARY])
async def test_b25_a_group_with_a_leaked_member_gives_up_instead_of_doubling_it(
    stage: Stage, autojump_clock: MockClock, restart: Restart
) -> None:
    release = trio.Event()
    script = Script(polite=False, stubborn=release)
    await stage.run(
        stage.child("a"), stage.child("bad", script, shutdown=0, restart=restart),
        strategy=ONE_FOR_ALL, intensity=Intensity(3, 50),
    )  # fmt: skip
    stage.players["a"].crash(ValueError())
    await trio.sleep(10)
    assert stage.did("start").count("start bad") == 1
    leaked = [report.child for report in stage.told(ReportKind.LEAKED)]
    release.set()
    if restart is TEMPORARY:
        assert leaked == ["bad"]
        await stage.stop()
        return
    await stage.ended.wait()
    assert leaked == ["bad"]
    assert isinstance(stage.error, Escalated)


@pytest.mark.real
async def test_t11_a_thread_that_ignores_cancellation_is_reported_as_leaked(stage: Stage) -> None:
    release = threading.Event()

    async def threaded(*, task_status: StartedCallback) -> None:
        task_status.started(None)
        await trio.to_thread.run_sync(release.wait)

    top = await stage.run(ChildSpec("bad", threaded, shutdown=0.01), grace=0.01)
    assert (await top.terminate_child("bad")).state is State.LEAKED
    release.set()
    await stage.stop()
    assert [report.kind for report in stage.reports] == [ReportKind.LEAKED]


async def test_b25_a_stubborn_start_that_is_terminated_leaks_and_the_others_go_on(
    stage: Stage, autojump_clock: MockClock
) -> None:
    release = trio.Event()
    top = await stage.run(
        stage.child("a"), stage.child("bad"), stage.child("c"), strategy=ONE_FOR_ALL
    )
    stage.scripts["bad"] = Script(start_takes=FOREVER, stubborn=release)
    stage.players["a"].crash(ValueError())
    await trio.sleep(1)
    began = trio.current_time()
    assert (await top.terminate_child("bad")).state is State.LEAKED
    assert trio.current_time() - began == 5 + 1  # its shutdown and the grace
    await trio.testing.wait_all_tasks_blocked()
    assert stage.ids(await top.which_children()) == [
        ("a", State.RUNNING), ("bad", State.LEAKED), ("c", State.RUNNING),
    ]  # fmt: skip
    assert len(stage.told(ReportKind.RESTART)) == 1
    release.set()

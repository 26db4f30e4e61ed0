"""How a supervisor comes up, and how it takes everything back when it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.lowlevel

from actors import Actor, AlreadyRegistered, Ref
from actors import StartTimeout as ActorStartTimeout
from supervisors import (
    KILL,
    TEMPORARY,
    ChildSpec,
    NeverStarted,
    ReportKind,
    StartFailed,
    StartTimeout,
    State,
    SupervisorRef,
    SupervisorSpec,
    run_tree,
    supervisor_spec,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from actors import StartedCallback
    from tests.supervisors.conftest import Stage

from tests.supervisors.conftest import Script


def tasks() -> int:
    """How many tasks there are in the run."""
    return trio.lowlevel.current_statistics().tasks_living


async def test_b01_start_in_order_each_ready_before_the_next_stop_in_reverse(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(*[stage.child(name, Script(start_takes=1, stop_takes=1)) for name in "abc"])
    await stage.stop()
    assert stage.acts == [
        (0, "start", "a"), (1, "ready", "a"),
        (1, "start", "b"), (2, "ready", "b"),
        (2, "start", "c"), (3, "ready", "c"),
        (3, "asked", "c"), (4, "end", "c"),
        (4, "asked", "b"), (5, "end", "b"),
        (5, "asked", "a"), (6, "end", "a"),
    ]  # fmt: skip
    assert stage.error is None


async def test_b01_an_empty_supervisor_starts_and_stops(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run()
    assert await top.which_children() == ()
    await stage.stop()
    assert stage.error is None


async def junk(*, task_status: StartedCallback) -> None:
    task_status.started("not a function")  # type: ignore[call-overload]


def not_async(*, task_status: StartedCallback) -> None:
    pass


async def never(*, task_status: StartedCallback) -> None:
    pass


async def twice(*, task_status: StartedCallback) -> None:
    task_status.started(None)
    task_status.started(None)


async def slow(*, task_status: StartedCallback) -> None:
    await trio.sleep_forever()


async def raising(*, task_status: StartedCallback) -> None:
    raise LookupError("no key")


async def shielded_crash(*, task_status: StartedCallback) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        raise LookupError("deep")


@pytest.mark.parametrize(
    ("worker", "cause"),
    [
        (raising, LookupError),
        (shielded_crash, LookupError),
        (junk, TypeError),
        (not_async, TypeError),
        (never, NeverStarted),
        (slow, StartTimeout),
    ],
)
async def test_b04_t06_a_failed_start_takes_the_earlier_siblings_back_in_reverse(
    stage: Stage, autojump_clock: MockClock, worker: Any, cause: type[Exception]
) -> None:
    before = tasks()
    bad = ChildSpec("bad", worker, start_timeout=2)
    with pytest.raises(StartFailed) as caught:
        await stage.run(
            ChildSpec.actor("named", Actor, stage.registry),
            stage.child("a"), stage.child("b"), bad, stage.child("later"),
        )  # fmt: skip
    assert caught.value.child == "bad"
    assert isinstance(caught.value.__cause__, cause)
    assert stage.did("ready", "end") == ["ready a", "ready b", "end b", "end a"]
    assert stage.registry.names() == ()
    assert tasks() == before
    (report,) = stage.told(ReportKind.START_FAILED)
    assert report.failure is not None
    assert report.failure.type == cause.__name__


async def test_t06_started_twice_is_a_crash_of_the_child(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(ChildSpec("one", twice, restart=TEMPORARY))
    await trio.testing.wait_all_tasks_blocked()
    (report,) = stage.told(ReportKind.CRASH)
    assert report.failure is not None
    assert report.failure.type == "RuntimeError"


async def test_b04_the_cause_chain_leads_through_all_levels(
    stage: Stage, autojump_clock: MockClock
) -> None:
    bottom = supervisor_spec("bottom", SupervisorSpec([ChildSpec("leaf", raising)]))
    middle = supervisor_spec("middle", SupervisorSpec([stage.child("early"), bottom]))
    with pytest.raises(StartFailed) as caught:
        await stage.run(middle)
    chain: list[str] = []
    error: BaseException | None = caught.value
    while isinstance(error, StartFailed):
        chain.append(f"{error.supervisor}:{error.child}")
        error = error.__cause__
    assert chain == ["top:middle", "top/middle:bottom", "top/middle/bottom:leaf"]
    assert isinstance(error, LookupError)
    assert stage.did("ready", "end") == ["ready early", "end early"]


async def test_b04_a_cancelled_start_takes_everything_back_in_order(
    stage: Stage, autojump_clock: MockClock
) -> None:
    before = tasks()
    children = [stage.child("a", Script(stop_takes=1)), stage.child("b", Script(stop_takes=1))]
    with trio.move_on_after(1) as scope:
        await stage.run(*children, ChildSpec("slow", slow))
    assert scope.cancelled_caught
    assert stage.acts[-4:] == [
        (1, "asked", "b"),
        (2, "end", "b"),
        (2, "asked", "a"),
        (3, "end", "a"),
    ]
    assert stage.registry.names() == ()
    assert tasks() == before


async def test_b04_a_child_that_cannot_even_be_killed_does_not_hang_a_failed_start(
    stage: Stage, autojump_clock: MockClock
) -> None:
    release = trio.Event()
    slow_and_stubborn = Script(start_takes=100, stubborn=release)
    spec = stage.child("bad", slow_and_stubborn, start_timeout=1)
    top = await stage.run(stage.child("good"))
    with pytest.raises(StartFailed) as caught:
        await top.start_child(spec)
    assert isinstance(caught.value.__cause__, StartTimeout)
    assert trio.current_time() - stage.began == pytest.approx(2)
    assert stage.ids(await top.which_children())[1] == ("bad", State.LEAKED)
    release.set()


async def test_b04_a_child_that_gets_ready_after_its_time_is_not_taken_for_running(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async def late(*, task_status: StartedCallback) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(1.5)
        task_status.started(None)
        await trio.sleep_forever()

    top = await stage.run()
    with pytest.raises(StartFailed) as caught:
        await top.start_child(ChildSpec("late", late, start_timeout=1))
    assert isinstance(caught.value.__cause__, StartTimeout)
    assert await top.which_children() == ()
    assert stage.told(ReportKind.CRASH) == []


async def test_b04_a_name_that_is_taken_is_a_failed_start(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(ChildSpec.actor("one", Actor, stage.registry))
    with pytest.raises(StartFailed) as caught:
        await top.start_child(ChildSpec.actor("two", Actor, stage.registry, name="one"))
    assert isinstance(caught.value.__cause__, AlreadyRegistered)
    with pytest.raises(StartFailed) as above:
        await run_tree(SupervisorSpec(name="top", registry=stage.registry))
    assert isinstance(above.value.__cause__, AlreadyRegistered)
    assert above.value.child == "front"


async def test_b04_an_actor_whose_init_hangs_frees_its_name(
    stage: Stage, autojump_clock: MockClock
) -> None:
    class Hanging(Actor):
        async def init(self) -> None:
            await trio.sleep_forever()

    top = await stage.run()
    with pytest.raises(StartFailed) as caught:
        await top.start_child(ChildSpec.actor("one", Hanging, stage.registry, init_timeout=2))
    assert isinstance(caught.value.__cause__, ActorStartTimeout)
    assert stage.registry.names() == ("top",)


async def test_b04_children_that_cannot_be_read_are_a_failed_start(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async def broken() -> list[ChildSpec]:
        raise LookupError("no database")

    async def hanging() -> list[ChildSpec]:
        await trio.sleep_forever()
        raise AssertionError

    with pytest.raises(StartFailed) as caught:
        await stage.run(read=broken)
    assert isinstance(caught.value.__cause__, LookupError)
    with pytest.raises(StartFailed) as caught:
        await stage.run(read=hanging)
    assert isinstance(caught.value.__cause__, StartTimeout)
    assert stage.registry.names() == ()


async def test_orders_wait_until_the_supervisor_has_started(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = SupervisorRef(stage.registry, "top")

    async def early() -> None:
        await trio.sleep(1)
        assert stage.ids(await top.which_children()) == [("slow", State.STARTING)]
        await top.start_child(stage.child("early"))
        assert trio.current_time() - stage.began == pytest.approx(5)

    stage.nursery.start_soon(early)
    await stage.run(stage.child("slow", Script(start_takes=5)))
    await trio.testing.wait_all_tasks_blocked()
    assert stage.did("ready") == ["ready slow", "ready early"]


async def test_a_supervisor_needs_a_tree(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(RuntimeError, match="run_tree"):
            await nursery.start(supervisor_spec("one", SupervisorSpec()).start)


async def test_b04_kill_policy_does_not_matter_to_a_failed_start(
    stage: Stage, autojump_clock: MockClock
) -> None:
    with pytest.raises(StartFailed):
        await stage.run(stage.child("a", shutdown=KILL), ChildSpec("bad", raising))
    assert stage.did("end", "cancelled") == ["cancelled a", "end a"]
    assert Ref(stage.registry, "top").statistics() is None

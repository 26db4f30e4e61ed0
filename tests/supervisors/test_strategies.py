"""Who is restarted with whom, in which order, and what a restart leaves alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from actors import Actor, Call, Cast, Ref, Reply
from supervisors import (
    ONE_FOR_ALL,
    ONE_FOR_ONE,
    REST_FOR_ONE,
    TEMPORARY,
    TRANSIENT,
    ChildSpec,
    Intensity,
    ReportKind,
    State,
    Strategy,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.supervisors.conftest import Stage

from tests.supervisors.conftest import Script

PATIENT = Intensity(20, 5)


@dataclass(frozen=True)
class Put(Cast):
    word: str


@dataclass(frozen=True)
class Words(Call[tuple[str, ...]]):
    pass


class Keeper(Actor):
    """Keeps words; serves only when its gate is open, so a mailbox can fill."""

    def __init__(self, gate: trio.Event) -> None:
        self.gate = gate
        self.words: list[str] = []

    async def handle_cast(self, message: Cast) -> None:
        await self.gate.wait()
        assert isinstance(message, Put)
        self.words.append(message.word)

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        assert isinstance(message, Words)
        return tuple(self.words)


async def test_b09_one_for_one_leaves_the_siblings_task_and_mailbox_alone(
    stage: Stage, autojump_clock: MockClock
) -> None:
    gate = trio.Event()
    keeper = ChildSpec.actor("keeper", lambda: Keeper(gate), stage.registry)
    top = await stage.run(stage.child("one"), keeper, stage.child("two"))
    ref = Ref(stage.registry, "keeper")
    for word in ("a", "b", "c"):
        ref.cast(Put(word))
    owner, two = stage.registry.whereis("keeper"), stage.players["two"]
    stage.players["one"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    gate.set()
    assert await ref.call(Words()) == ("a", "b", "c")
    assert stage.registry.whereis("keeper") == owner
    assert stage.players["two"] is two
    assert [row.incarnation for row in await top.which_children()] == [2, 1, 1]


async def test_b10_one_for_all_replaces_all_and_the_old_are_gone_before_the_new(
    stage: Stage, autojump_clock: MockClock
) -> None:
    names = "abc"
    await stage.run(*[stage.child(name) for name in names], strategy=ONE_FOR_ALL)
    old = dict(stage.players)
    stage.acts.clear()
    stage.players["b"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    assert stage.did("end", "start", "ready") == [
        "end b", "end c", "end a",
        "start a", "ready a", "start b", "ready b", "start c", "ready c",
    ]  # fmt: skip
    assert all(stage.players[name] is not old[name] for name in names)


async def test_b11_rest_for_one_replaces_the_tail_only(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(*[stage.child(name) for name in "abcd"], strategy=REST_FOR_ONE)
    stage.acts.clear()
    stage.players["b"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    assert stage.did("end", "ready") == ["end b", "end d", "end c", "ready b", "ready c", "ready d"]
    assert stage.players["a"].number == 1


@pytest.mark.parametrize("strategy", [ONE_FOR_ALL, REST_FOR_ONE])
async def test_b12_a_temporary_bystander_is_stopped_forgotten_and_not_counted(
    stage: Stage, autojump_clock: MockClock, strategy: Strategy
) -> None:
    top = await stage.run(
        stage.child("a"), stage.child("temp", restart=TEMPORARY), stage.child("c"),
        strategy=strategy, intensity=Intensity(1, 5),
    )  # fmt: skip
    stage.players["a"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    assert stage.ids(await top.which_children()) == [("a", State.RUNNING), ("c", State.RUNNING)]
    assert len(stage.told(ReportKind.RESTART)) == 1


async def test_bystanders_that_are_down_come_back_unless_an_order_put_them_there(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(
        stage.child("a"), stage.child("done", restart=TRANSIENT), stage.child("off"),
        strategy=REST_FOR_ONE,
    )  # fmt: skip
    stage.players["done"].leave()
    await top.terminate_child("off")
    stage.players["a"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    assert stage.ids(await top.which_children()) == [
        ("a", State.RUNNING), ("done", State.RUNNING), ("off", State.TERMINATED),
    ]  # fmt: skip


async def test_b10_two_that_crash_at_once_are_one_restart(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(
        *[stage.child(name) for name in "ab"], strategy=ONE_FOR_ALL, intensity=Intensity(1, 5)
    )
    stage.players["a"].crash(ValueError())
    stage.players["b"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    assert len(stage.told(ReportKind.CRASH)) == 2
    assert len(stage.told(ReportKind.RESTART)) == 1
    assert [player.number for player in stage.players.values()] == [2, 2]


async def test_b16_one_for_all_a_later_failing_start_repeats_the_whole_round(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(*[stage.child(name) for name in "abc"], strategy=ONE_FOR_ALL, intensity=PATIENT)
    stage.acts.clear()
    stage.scripts["c"].fail_starts = [OSError()]
    stage.players["a"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    assert stage.did("ready", "end") == [
        "end a", "end c", "end b",
        "ready a", "ready b", "end c",  # the failed start
        "end b", "end a",  # nobody of the half round is left
        "ready a", "ready b", "ready c",
    ]  # fmt: skip
    assert len(stage.told(ReportKind.RESTART)) == 2


async def test_b16_rest_for_one_only_the_failing_one_and_its_tail_are_tried_again(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(
        *[stage.child(name) for name in "abc"], strategy=REST_FOR_ONE, intensity=PATIENT
    )
    stage.acts.clear()
    stage.scripts["b"].fail_starts = [OSError(), OSError()]
    stage.players["a"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    assert stage.did("ready") == ["ready a", "ready b", "ready c"]
    assert stage.did("start") == ["start a", "start b", "start b", "start b", "start c"]


@pytest.mark.parametrize("strategy", [ONE_FOR_ONE, ONE_FOR_ALL, REST_FOR_ONE])
async def test_b16_a_storm_leaves_no_orphan_and_no_double(
    stage: Stage, autojump_clock: MockClock, strategy: Strategy
) -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    names = "abcde"
    await stage.run(
        *[stage.child(name, Script(start_takes=0.1, stop_takes=0.1)) for name in names],
        strategy=strategy, intensity=Intensity(1000, 5),
    )  # fmt: skip
    settled = trio.lowlevel.current_statistics().tasks_living
    for step in range(60):
        name = names[step * 7 % 5]
        stage.scripts[names[step % 5]].fail_starts = [OSError()]
        stage.players[name].crash(ValueError())
        await trio.sleep(0.05 * (step % 4))
    await trio.sleep(60)
    alive = {name: stage.did("start").count(f"start {name}") for name in names}
    for name in names:
        assert alive[name] - stage.did("end").count(f"end {name}") == 1
    assert trio.lowlevel.current_statistics().tasks_living == settled
    await stage.stop()
    assert trio.lowlevel.current_statistics().tasks_living == before


async def test_b16_an_order_in_the_middle_of_a_round_does_not_strand_the_others(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(
        *[stage.child(name) for name in "abc"], strategy=ONE_FOR_ALL, intensity=PATIENT
    )
    stage.scripts["b"].start_takes = 100
    stage.players["a"].crash(ValueError())
    await trio.sleep(1)
    assert (await top.terminate_child("b")).state is State.TERMINATED
    await trio.testing.wait_all_tasks_blocked()
    assert stage.ids(await top.which_children()) == [
        ("a", State.RUNNING), ("b", State.TERMINATED), ("c", State.RUNNING),
    ]  # fmt: skip
    assert stage.told(ReportKind.START_FAILED) == []


async def test_b16_whoever_waited_for_a_child_goes_on_when_that_one_is_terminated(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(
        *[stage.child(name) for name in "abc"], strategy=ONE_FOR_ALL, intensity=PATIENT
    )
    stage.scripts["b"] = Script(start_takes=10, fail_starts=[OSError()])
    stage.players["a"].crash(ValueError())
    await trio.sleep(1)
    stage.nursery.start_soon(top.start_child, stage.child("x", Script(start_takes=20)))
    await trio.sleep(15)  # b has failed, and its next try waits for the end of the order
    assert stage.ids(await top.which_children())[1:3] == [
        ("b", State.RESTARTING), ("c", State.BACKING_OFF),
    ]  # fmt: skip
    assert (await top.terminate_child("b")).state is State.TERMINATED
    await trio.sleep(30)
    states = [state for _, state in stage.ids(await top.which_children())]
    assert states == [State.RUNNING, State.TERMINATED, State.RUNNING, State.RUNNING]


async def test_b10_a_crash_while_the_group_still_starts_waits_for_its_turn(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async def impatient() -> None:
        await trio.sleep(1)
        stage.players["a"].crash(ValueError())

    stage.nursery.start_soon(impatient)
    await stage.run(
        stage.child("a"), stage.child("b", Script(start_takes=2)), stage.child("c"),
        strategy=ONE_FOR_ALL,
    )  # fmt: skip
    await trio.sleep(5)
    assert stage.did("ready", "end") == [
        "ready a", "end a", "ready b", "ready c",
        "end c", "end b", "ready a", "ready b", "ready c",
    ]  # fmt: skip

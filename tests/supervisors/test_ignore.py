"""Children that say Ignore: do not start me."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
import trio.lowlevel

from actors import Ignore
from supervisors import (
    REST_FOR_ONE,
    TEMPORARY,
    ReportKind,
    State,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.supervisors.conftest import Stage

from tests.supervisors.conftest import Script


def ignoring() -> Script:
    return Script(fail_starts=[Ignore()])


async def test_b05_a_static_child_that_says_ignore_keeps_its_specification(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("one", ignoring()), stage.child("two"))
    assert stage.ids(await top.which_children()) == [
        ("one", State.IGNORED), ("two", State.RUNNING),
    ]  # fmt: skip
    counts = await top.count_children()
    assert (counts.specs, counts.active) == (2, 1)
    assert (await top.restart_child("one")).state is State.RUNNING
    assert stage.reports == []


async def test_b05_temporary_and_dynamic_ones_leave_no_trace(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("static", ignoring(), restart=TEMPORARY))
    for policy in ({}, {"restart": TEMPORARY}):
        row = await top.start_child(stage.child("dynamic", ignoring(), **policy))
        assert row.state is State.IGNORED
    assert await top.which_children() == ()
    await stage.stop()
    assert stage.error is None


async def test_b05_a_dynamic_child_that_says_ignore_at_its_restart_is_forgotten(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run()
    await top.start_child(stage.child("one"))
    stage.scripts["one"].fail_starts = [Ignore()]
    stage.players["one"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    assert await top.which_children() == ()


async def test_b05_a_static_one_is_tried_again_with_its_group(
    stage: Stage, autojump_clock: MockClock
) -> None:
    top = await stage.run(stage.child("one"), stage.child("two", ignoring()), strategy=REST_FOR_ONE)
    stage.players["one"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    assert stage.ids(await top.which_children())[1] == ("two", State.RUNNING)


async def test_b05_ignore_after_it_was_ready_is_a_crash(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(stage.child("one"))
    stage.players["one"].crash(Ignore())
    await trio.testing.wait_all_tasks_blocked()
    assert [report.kind for report in stage.reports] == [ReportKind.CRASH, ReportKind.RESTART]

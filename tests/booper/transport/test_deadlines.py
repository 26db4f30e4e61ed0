"""Deadlines by the slot, and the bell they sleep on."""

from __future__ import annotations

import pytest
import trio
import trio.lowlevel

from booper.transport.bell import Bell
from booper.transport.deadlines import FINENESS, Deadlines
from booper.transport.sending import Sending
from tests.booper.transport.conftest import TEMPLATE, stamps


def sending() -> Sending:
    return Sending(TEMPLATE, stamps(1), [])


async def test_each_is_told_once_a_little_late_never_early(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    deadlines = Deadlines()
    begun = trio.current_time()
    wanted = {sending(): seconds for seconds in (5.0, 0.01, 3.3, 3.3, 0.0, -1.0)}
    told: dict[Sending, float] = {}

    def expire(late: set[Sending]) -> None:
        for who in late:
            assert who not in told
            told[who] = trio.current_time() - begun

    nursery.start_soon(deadlines.run, expire)
    await trio.lowlevel.checkpoint()
    for who, seconds in wanted.items():
        deadlines.add(who, seconds)
    await trio.sleep(10)
    assert told.keys() == wanted.keys()
    for who, seconds in wanted.items():
        assert seconds <= told[who] <= max(seconds, 0) + 1 / FINENESS


async def test_what_is_finished_is_not_told_and_leaves_nothing(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    deadlines = Deadlines()
    told: list[Sending] = []
    nursery.start_soon(deadlines.run, told.extend)
    for _ in range(1000):
        who = sending()
        deadlines.remove(who, deadlines.add(who, 1.0))
    late = sending()
    slot = deadlines.add(late, 1.0)
    await trio.sleep(2)
    assert told == [late]
    deadlines.remove(late, slot)
    assert not deadlines._slots
    assert not deadlines._order


async def test_rings_are_remembered_not_counted(autojump_clock: object) -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    await bell.wait()
    with trio.move_on_after(1) as scope:
        await bell.wait()
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bell.wait)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await bell.wait()
        bell.ring()

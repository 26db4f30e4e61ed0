"""What is light passes what is heavy, which comes piece by piece, and comes all the same."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from booper.precedence import FEW, LINGER, PATIENCE, Precedence, precedence

MANY = FEW + 1


async def test_nothing_waits_where_nothing_is_light(mock_clock: MockClock) -> None:
    own = Precedence()
    assert not own.taken
    await own.clear()
    async with own.heavy(MANY):
        pass
    assert trio.current_time() == mock_clock.current_time()


async def test_heavy_pieces_wait_until_what_is_light_has_ended(nursery: trio.Nursery) -> None:
    own, done = Precedence(), list[str]()

    async def piece() -> None:
        async with own.heavy(MANY):
            done.append("heavy")

    with own.light():
        assert own.taken
        nursery.start_soon(piece)
        await wait_all_tasks_blocked()
        with own.light():
            pass
        await wait_all_tasks_blocked()
        assert done == [], "one of two has ended"
        done.append("light")
    await wait_all_tasks_blocked()
    assert done == ["light", "heavy"]


async def test_a_few_devices_are_not_heavy() -> None:
    own = Precedence()
    with own.light():
        async with own.heavy(FEW):
            assert own.taken


async def test_heavy_pieces_go_on_however_much_is_light(autojump_clock: MockClock) -> None:
    own, begun = Precedence(), trio.current_time()
    with own.light():
        for _ in range(3):
            async with own.heavy(MANY):
                pass
    assert trio.current_time() - begun == pytest.approx(3 * PATIENCE)


async def test_what_was_light_keeps_the_way_for_its_next_steps(autojump_clock: MockClock) -> None:
    own, begun = Precedence(), trio.current_time()
    with own.light(linger=True):
        pass
    assert own.taken
    await own.clear()
    assert trio.current_time() - begun == pytest.approx(LINGER)
    assert not own.taken


async def test_a_wait_ends_with_the_event_it_was_given(autojump_clock: MockClock) -> None:
    own, event, begun = Precedence(), trio.Event(), trio.current_time()
    with own.light():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(own.clear, event)
            await wait_all_tasks_blocked()
            event.set()
    assert trio.current_time() == begun


async def test_a_cancelled_wait_leaves_nothing_behind(nursery: trio.Nursery) -> None:
    own = Precedence()
    with own.light():
        with trio.CancelScope() as scope:
            scope.cancel()
            async with own.heavy(MANY):
                raise AssertionError("it was cancelled")
        assert scope.cancelled_caught
    async with own.heavy(MANY):  # the turn is free
        pass


async def test_heavy_pieces_come_one_in_a_turn_of_the_loop(nursery: trio.Nursery) -> None:
    own, turns = Precedence(), list[int]()
    ticks = 0

    async def piece() -> None:
        async with own.heavy(MANY):
            turns.append(ticks)

    class Ticks(trio.abc.Instrument):
        def after_io_wait(self, timeout: float) -> None:
            nonlocal ticks
            ticks += 1

    instrument = Ticks()
    trio.lowlevel.add_instrument(instrument)
    with own.light():
        async with trio.open_nursery() as pieces:
            for _ in range(5):
                pieces.start_soon(piece)
    trio.lowlevel.remove_instrument(instrument)
    assert len(set(turns)) == 5


def test_each_loop_has_its_own() -> None:
    async def own() -> Precedence:
        assert precedence() is precedence()
        return precedence()

    assert trio.run(own) is not trio.run(own)

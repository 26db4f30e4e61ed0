"""The bridge: asyncio's results, errors and ends reach trio, and trio's cancellations asyncio."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import trio

from booper.bridge import open_bridge

pytestmark = pytest.mark.real


async def echo(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def fail(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


async def test_a_call_returns_what_asyncio_returned_or_raises_what_it_raised() -> None:
    async with open_bridge() as bridge:
        assert await bridge.call(echo, 7) == 7
        with pytest.raises(LookupError, match="gone"):
            await bridge.call(fail, LookupError("gone"))
        assert await bridge.call(echo, 8) == 8


async def test_many_calls_go_on_side_by_side_and_none_gets_anothers_answer() -> None:
    answers: dict[int, int] = {}

    async def later(number: int) -> int:
        await asyncio.sleep((number * 7 % 10) / 1000)
        return number

    async with open_bridge() as bridge, trio.open_nursery() as nursery:

        async def one(number: int) -> None:
            answers[number] = await bridge.call(later, number)

        for number in range(200):
            nursery.start_soon(one, number)
    assert answers == {number: number for number in range(200)}


async def test_a_cancelled_call_is_cancelled_there_and_waited_for() -> None:
    said: list[str] = []

    async def slow(started: trio.Event) -> None:
        started.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            said.append("cleaned up")
            raise

    async with open_bridge() as bridge:
        started = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bridge.call, slow, started)
            await started.wait()
            nursery.cancel_scope.cancel()
        assert said == ["cleaned up"]
        assert await bridge.call(echo, "alive") == "alive"


async def test_what_had_finished_when_the_cancellation_came_is_returned() -> None:
    async def stubborn(started: trio.Event) -> str:
        started.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "done anyway"
        return "not reached"

    async with open_bridge() as bridge:
        started, results = trio.Event(), []

        async def one() -> None:
            results.append(await bridge.call(stubborn, started))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            await started.wait()
            nursery.cancel_scope.cancel()
        assert results == ["done anyway"]


async def test_closing_ends_what_asyncio_still_does() -> None:
    ended: list[str] = []

    async def orphan() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("orphan")

    async def spawn() -> asyncio.Task[None]:
        task = asyncio.create_task(orphan())
        await asyncio.sleep(0)
        return task

    async with open_bridge() as bridge:
        await bridge.call(spawn)
    assert ended == ["orphan"]
    with pytest.raises(trio.ClosedResourceError):
        await bridge.call(echo, 1)


async def test_other_tasks_get_their_turn_while_asyncio_never_rests() -> None:
    turns = 0

    async def busy() -> None:
        while turns < 50:  # ends only if trio's task gets its turns
            await asyncio.sleep(0)

    async with open_bridge() as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(bridge.call, busy)
        while turns < 50:
            turns += 1
            await trio.lowlevel.checkpoint()

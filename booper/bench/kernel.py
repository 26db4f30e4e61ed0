"""What a call and a cast cost beside the bare memory channels they replace.

Ratios, because they are what the kernel promises: both sides run in the same process, round by
round in turn, so a noisy machine hurts them alike.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import trio

from actors import Actor, Call, Cast, Ref, Registry, Reply, actor_worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BURST = 100
"""Casts between two answers, and the size of the bare channel they are compared with."""


@dataclass(frozen=True, slots=True)
class KernelFigures:
    """Medians over the rounds. A ratio is the actor's cost divided by the bare cost: 1 is par."""

    calls_per_second: float
    casts_per_second: float
    bare_round_trips_per_second: float
    bare_sends_per_second: float
    call_ratio: float
    cast_ratio: float


@dataclass(frozen=True)
class Ping(Call[int]):
    """Wants the number of casts so far."""


@dataclass(frozen=True)
class Note(Cast):
    """Is counted."""


class Echo(Actor):
    """The least an actor can do."""

    async def init(self) -> None:
        """Begin at nothing."""
        self.notes = 0

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        """Answer a Ping."""
        match message:
            case Ping():
                return self.notes
            case _:
                return await super().handle_call(message, reply)

    async def handle_cast(self, message: Cast) -> None:
        """Count a Note."""
        match message:
            case Note():
                self.notes += 1
            case _:
                await super().handle_cast(message)


async def measure(count: int = 20_000, rounds: int = 5) -> KernelFigures:
    """Time `count` operations of each kind, `rounds` times in turn. About 1.5 s by default."""
    registry = Registry()
    seconds: dict[str, list[float]] = {"call": [], "cast": [], "trip": [], "send": []}
    async with trio.open_nursery() as nursery:
        stop = await nursery.start(actor_worker(Echo, registry, "echo"))
        echo = Ref(registry, "echo")
        for _ in range(rounds):
            seconds["call"].append(await _timed(lambda: _calls(echo, count)))
            seconds["trip"].append(await _timed(lambda: _round_trips(count)))
            seconds["cast"].append(await _timed(lambda: _casts(echo, count)))
            seconds["send"].append(await _timed(lambda: _sends(count)))
        stop()
    return KernelFigures(
        calls_per_second=count / statistics.median(seconds["call"]),
        casts_per_second=count / statistics.median(seconds["cast"]),
        bare_round_trips_per_second=count / statistics.median(seconds["trip"]),
        bare_sends_per_second=count / statistics.median(seconds["send"]),
        call_ratio=_ratio(seconds["call"], seconds["trip"]),
        cast_ratio=_ratio(seconds["cast"], seconds["send"]),
    )


def _ratio(ours: list[float], bare: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, bare, strict=True))


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    start = perf_counter()
    await work()
    return perf_counter() - start


async def _calls(echo: Ref, count: int) -> None:
    ping = Ping()
    for _ in range(count):
        await echo.call(ping)


async def _casts(echo: Ref, count: int) -> None:
    note = Note()
    for sent in range(1, count + 1):
        echo.cast(note)
        if sent % BURST == 0:
            await echo.call(Ping())
    await echo.call(Ping())


async def _round_trips(count: int) -> None:
    """One at a time through two channels, as a call goes."""
    there, asked = trio.open_memory_channel[int](BURST)
    back, answered = trio.open_memory_channel[int](BURST)

    async def echo() -> None:
        async with asked, back:
            for _ in range(count):
                await back.send(await asked.receive())

    async with trio.open_nursery() as nursery, there, answered:
        nursery.start_soon(echo)
        for number in range(count):
            await there.send(number)
            await answered.receive()


async def _sends(count: int) -> None:
    """A stream one way, received one by one, as casts go."""
    there, arriving = trio.open_memory_channel[int](BURST)

    async def sink() -> None:
        async with arriving:
            for _ in range(count):
                await arriving.receive()

    async with trio.open_nursery() as nursery, there:
        nursery.start_soon(sink)
        for number in range(count):
            await there.send(number)

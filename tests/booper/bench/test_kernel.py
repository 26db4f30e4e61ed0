"""The kernel's benchmark runs and agrees with itself. What it measures is not judged here."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

from actors import Ref, Registry, actor_worker
from booper.bench.kernel import Echo, Note, Ping, measure

if TYPE_CHECKING:
    import trio


async def test_one_round_gives_ratios_that_follow_from_its_rates() -> None:
    figures = await measure(count=150, rounds=1)
    assert all(figure > 0 for figure in astuple(figures))
    calls = figures.bare_round_trips_per_second / figures.calls_per_second
    casts = figures.bare_sends_per_second / figures.casts_per_second
    assert abs(figures.call_ratio - calls) < 1e-6 * calls
    assert abs(figures.cast_ratio - casts) < 1e-6 * casts


async def test_what_is_measured_is_really_done(nursery: trio.Nursery) -> None:
    registry = Registry()
    await nursery.start(actor_worker(Echo, registry, "echo"))
    echo = Ref(registry, "echo")
    echo.cast(Note())
    echo.cast(Note())
    assert await echo.call(Ping()) == 2

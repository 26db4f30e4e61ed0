"""F7: one of five providers is away. The quick form leaps through ten minutes of it; the long one
measures for a minute what the other four feel of it, in real time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.bench.outage import measure
from booper.domain.breaker import FAILURES
from booper.simulators.faults import Answer
from tests.booper.faults.form import LONG, tell
from tests.booper.journeys.neighbourhood import Neighbourhood, neighbourhood

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.timeout(900 if LONG else 120)]
FIVE = ["a", "b", "c", "d", "e"]
AWAY = Answer(status=503, reason="Shutdown")  # that one is tried again at once


def refusals(house: Neighbourhood, name: str) -> int:
    """How many requests its Apple has turned away."""
    return sum(house.neighbours[name].apple.ledger.summary().refused.values())


async def test_f7_an_outage_of_one_is_not_felt_by_four_and_made_good_afterwards(
    tmp_path: Path,
) -> None:
    async with neighbourhood(tmp_path, FIVE) as house:
        await house.settle_in(FIVE, 4, "all")
        house.neighbours["c"].apple.faults.script(AWAY)
        first = await house.notify("all", ttl=86_400)
        with trio.fail_after(30):  # one batch is tried again and again
            while (await house.standing("c") or {})["breaker"] != "open":
                house.clock.ahead += 1.0
                await trio.sleep(0.02)
        tried = refusals(house, "c")
        assert tried == 4 * FAILURES
        assert (await house.standing("c") or {})["state"] == "failing"

        later = [await house.notify("all", ttl=86_400) for _ in range(5)]
        for own in later:
            with trio.fail_after(10):
                while (await house.progress(own))["counts"]["accepted"] < 16:
                    await trio.sleep(0.02)
        assert refusals(house, "c") == tried, "while the breaker is open nothing is tried"

        for probes in range(1, 11):
            house.clock.ahead += 60.0
            with trio.fail_after(10):
                while refusals(house, "c") < tried + probes:
                    await trio.sleep(0.02)
            await house.until("c", breaker="open")
            assert refusals(house, "c") == tried + probes, "a probe is one device"

        house.neighbours["c"].apple.faults.clear()
        house.clock.ahead += 40.0
        for own in [first, *later]:
            shown = await house.leap_until_done(own, 40.0)
            assert shown["counts"]["accepted"] == 20
        await house.until("c", breaker="closed", state="ready")
        for name in FIVE:
            summary = house.neighbours[name].apple.ledger.summary()
            assert (summary.distinct, summary.duplicates) == (24, 0), name
            assert name == "c" or not summary.refused
        tell("F7", minutes=10, tries_before_the_breaker=tried // 4, probes=10, lost=0, duplicates=0)


@pytest.mark.skipif(not LONG, reason="the long form takes minutes")
@pytest.mark.parametrize("kind", ["unavailable", "silent"])
def test_f7_the_other_four_keep_their_pace(kind: str) -> None:
    figures = measure(60.0, kind)
    tell(f"F7 {kind}", **figures)
    assert (figures["lost"], figures["duplicates"]) == (0, 0)
    assert figures["missing"] > 0, "it was not away"
    assert figures["ratio"] <= 1.2

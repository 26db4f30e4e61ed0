"""Targets: devices that lie close together are read as spans, others one by one; all alike."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.store import devices, targets
from booper.store.targets import GAP, LENGTH, spans
from tests.booper.store.seeds import NOW, registration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Database, Tx

MANY = 6 * LENGTH
SOME = {
    "one run": [*range(10, 10 + 2 * LENGTH)],
    "with gaps": [n for n in range(1, MANY) if n % 5],
    "two runs": [*range(1, 2 * LENGTH), *range(3 * LENGTH, 5 * LENGTH)],
    "far apart": [*range(1, MANY, GAP + 2)],
    "one": [7],
    "some that are no more": [*range(1, MANY + 20)],
    "nobody": [],
}


async def registered(database: Database) -> None:
    """Devices 1 to MANY: every third of another provider, every seventh gone."""

    async def work(tx: Tx) -> None:
        several = [
            registration(n, "main" if n % 2 else "", "fcm" if n % 3 == 0 else "apns")
            for n in range(1, MANY + 1)
        ]
        await devices.register(tx, several, NOW)
        await devices.mark_gone(tx, [(n, "Unregistered") for n in range(7, MANY + 1, 7)], NOW)

    await database.write(work)


@pytest.mark.parametrize("wanted", SOME.values(), ids=SOME)
async def test_whoever_is_asked_for_is_found(database: Database, wanted: Sequence[int]) -> None:
    await registered(database)
    there = [n for n in wanted if n <= MANY]
    living = [n for n in there if n % 7]
    ways = await database.read(targets.ways, wanted)
    assert ways == {
        (provider, instance): some
        for provider in ("apns", "fcm")
        for instance in ("", "main")
        if (
            some := [
                n
                for n in living
                if (n % 3 == 0) is (provider == "fcm") and bool(n % 2) is (instance == "main")
            ]
        )
    }
    places = await database.read(targets.places, wanted)
    assert {n: places.sealed[n] for n in there} == {n: f"{n:064x}".encode() for n in there}
    assert {places.registered_at[n] for n in there} <= {NOW}
    assert not {n for n in places.sealed if n > MANY}
    near = await database.read(targets.near, wanted)
    assert [device.number for device in near] == living
    assert [device.sealed for device in near] == [places.sealed[n] for n in living]


@given(st.sets(st.integers(1, 400), min_size=1))
def test_spans_hold_all_and_little_else(numbers: set[int]) -> None:
    found = spans(sorted(numbers))
    held = [n for first, last in found for n in range(first, last + 1)]
    assert held == sorted(set(held)), "in order, and nothing twice"
    assert numbers <= set(held)
    for first, last in found:
        assert first in numbers
        assert last in numbers
    gaps = [b - a for a, b in itertools.pairwise(sorted(numbers))]
    parts = 1 + sum(gap > GAP for gap in gaps)
    assert len(found) == parts or (len(found) == 1 and sum(gaps) < len(numbers) + GAP)

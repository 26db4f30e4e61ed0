"""What waits for a deleted instance goes another way, once, and everything is accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain.routing import Routes
from booper.domain.wanted import Wanted
from booper.store import instances
from booper.store.rerouting import lost, reroute
from tests.booper.store.seeds import NOW, audience, claim, expand_all, progress, rows

if TYPE_CHECKING:
    from booper.ports import Database

OTHER = Routes({"other": "apns"}, {})
NOWHERE = Routes({}, {})


async def waiting(database: Database) -> list[tuple[str, str, int]]:
    found = await rows(database, "SELECT instance, devices, attempt FROM batches ORDER BY number")
    return [(instance, devices, attempt) for instance, devices, attempt in found]


async def test_it_goes_out_through_the_next_in_turn(database: Database) -> None:
    numbers = await audience(database, 3)
    await expand_all(database)
    assert await database.read(lost) == ["main"]
    assert await database.write(reroute, OTHER, "main", NOW + 1) == 1
    ((instance, devices, attempt),) = await waiting(database)
    assert (instance, devices.replace(" ", ""), attempt) == (
        "other",
        str(numbers).replace(" ", ""),
        0,
    )
    assert await database.write(reroute, OTHER, "main", NOW + 1) == 0
    assert (await progress(database)).pending == 3


async def test_with_nobody_left_it_is_not_configured_and_done(database: Database) -> None:
    await audience(database, 3)
    await expand_all(database)
    assert await database.write(reroute, NOWHERE, "main", NOW + 1) == 1
    shown = await progress(database)
    assert (shown.state, shown.pending, shown.counts["not_configured"]) == ("done", 0, 3)
    assert await waiting(database) == []


async def test_what_is_in_somebody_s_hands_stays_there(database: Database) -> None:
    await audience(database, 3)
    await expand_all(database)
    await claim(database)
    assert await database.write(reroute, OTHER, "main", NOW) == 0
    assert [instance for instance, _, _ in await waiting(database)] == ["main"]


async def test_nothing_moves_while_the_instance_is_there_or_the_routes_are_late(
    database: Database,
) -> None:
    await audience(database, 3)
    await expand_all(database)
    assert await database.write(reroute, Routes({"main": "apns"}, {}), "main", NOW) == 0
    row = Wanted("main", "", "main", "apns", "api", 1, 1, 1, NOW, "me", started=False)
    await database.write(instances.insert, row)
    assert await database.read(lost) == []
    assert await database.write(reroute, OTHER, "main", NOW) == 0
    assert [instance for instance, _, _ in await waiting(database)] == ["main"]


async def test_step_by_step(database: Database) -> None:
    await audience(database, 1_200)
    await expand_all(database)
    assert await database.write(reroute, OTHER, "main", NOW, 2) == 2
    assert await database.write(reroute, OTHER, "main", NOW, 2) == 1
    assert {instance for instance, _, _ in await waiting(database)} == {"other"}

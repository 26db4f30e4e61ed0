"""Deaths are counted whoever died; after three a batch is parked, and stays accounted for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from booper.domain.fairness import Hand
from booper.domain.poison import DEATHS, KIN, LAPSE, PROCESS
from booper.store import agenda, deliveries, outbox, poison
from booper.store.outbox import Held
from tests.booper.store import seeds
from tests.booper.store.seeds import NOW, audience, claim, expand_all, progress, rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from booper.domain.delivery import Batch
    from booper.ports import Database

    Kill = Callable[[Database, Batch], Awaitable[object]]


async def crash(database: Database, batch: Batch) -> None:
    held = [Held(batch.number, batch.lease)]
    await database.write(
        partial(outbox.release, held=held, due_at=NOW, doubt=True, death="crash Oops")
    )


KILLS: dict[str, Kill] = {
    "crash Oops": crash,
    LAPSE: lambda database, _: database.write(outbox.release_expired, NOW + 31),
    PROCESS: lambda database, _: database.write(outbox.release_of, "node"),
}


async def suspects(database: Database) -> list[str]:
    """The instances with suspects, due or not."""
    return [instance for instance, _ in (await database.read(agenda.look)).suspects]


async def died(database: Database, kill: Kill = crash, times: int = DEATHS) -> None:
    """A holder of the one batch that is due dies so many times."""
    for number in range(times):
        (batch,) = await claim(database, 1, lease=f"life-{number}")
        await kill(database, batch)


@pytest.mark.parametrize("death", KILLS)
async def test_after_three_deaths_a_batch_is_parked_with_the_reason(
    database: Database, death: str
) -> None:
    await audience(database, 3)
    await expand_all(database)
    await died(database, KILLS[death], DEATHS - 1)
    assert await suspects(database) == ["main"]
    assert not await database.read(poison.dead)
    await died(database, KILLS[death], 1)
    assert await database.read(poison.dead)
    assert await claim(database) == [], "nobody is given it from then on"
    assert await database.write(poison.park, NOW, 10) == 1
    assert not await database.read(poison.dead)
    (parked,) = await database.read(poison.page, None, 0, 10)
    assert (parked.notification, parked.instance, parked.size) == ("n1", "main", 3)
    assert (parked.deaths, parked.death, parked.parked_at) == (DEATHS, death, NOW)
    assert (await progress(database)).pending == 3
    assert await rows(database, "SELECT 1 FROM batches") == []
    assert await database.read(poison.page, "n1", 0, 10) == [parked]
    assert await database.read(poison.page, "n2", 0, 10) == []


async def test_an_orderly_end_is_nobody_s_death(database: Database) -> None:
    await audience(database, 3)
    await expand_all(database)
    for _ in range(DEATHS + 1):
        await claim(database)
        await database.write(partial(outbox.release_of, died=False), "node")
    assert await suspects(database) == []
    assert not await database.read(poison.dead)


async def test_the_start_of_the_only_process_counts_the_death_of_the_last(
    sqlite: Database,
) -> None:
    await audience(sqlite, 3)
    await expand_all(sqlite)
    await died(sqlite, lambda database, _: database.write(outbox.release_all))
    assert await sqlite.write(poison.park, NOW, 10) == 1


async def test_a_suspect_is_claimed_alone_and_not_among_others(database: Database) -> None:
    await audience(database, 1_200)
    await expand_all(database)
    await died(database, times=1)
    wants = {"main": Hand(100, {}, 0)}
    terms = outbox.Terms("l", "n", NOW, NOW + 30)
    clean = await database.write(outbox.claim, wants, terms, 8)
    assert len(clean) == 2
    (suspect,) = await database.write(poison.claim, "main", terms)
    assert suspect.batch.number not in {one.batch.number for one in clean}
    assert await database.write(poison.claim, "main", terms) == []


async def test_released_it_is_as_new(database: Database) -> None:
    numbers = await audience(database, 3)
    await expand_all(database)
    await died(database)
    await database.write(poison.park, NOW, 10)
    (parked,) = await database.read(poison.page, None, 0, 10)
    assert await database.write(poison.release, [parked.number, 99], NOW + 5) == 1
    assert await database.write(poison.release, [parked.number], NOW + 5) == 0
    assert await suspects(database) == []
    (batch,) = await claim(database, now=NOW + 5)
    assert [target.device for target in batch.targets] == numbers
    assert await rows(database, "SELECT deaths, death FROM batches") == [(0, "")]


@pytest.mark.parametrize("end", ["failed", "expired"])
async def test_its_devices_end_with_what_it_died_of(database: Database, end: str) -> None:
    await audience(database, 3)
    await expand_all(database)
    await died(database)
    await database.write(poison.park, NOW, 10)
    if end == "failed":
        (parked,) = await database.read(poison.page, None, 0, 10)
        assert await database.write(poison.fail, [parked.number], NOW) == 1
    else:
        assert await database.write(poison.expire, NOW + 86_399, 10) == 0
        assert await database.write(poison.expire, NOW + 86_401, 10) == 1
    shown = await progress(database)
    assert (shown.state, shown.counts[end], shown.pending) == ("done", 3, 0)
    found = await database.read(deliveries.page, "n1", 0, 10)
    assert {(one.outcome, one.reason) for one in found} == {
        (end, "parked after 3 deaths of its holder; the last: crash Oops")
    }


async def test_when_two_batches_of_a_notification_are_poison_the_others_are(
    database: Database,
) -> None:
    await audience(database, 2_000)
    await expand_all(database)
    await database.write(seeds.notify, "n2")
    await expand_all(database)
    first, second = [row[0] for row in await rows(database, "SELECT number FROM batches")][:2]
    for number, parked in ((first, 1), (second, 3)):
        sql = "UPDATE batches SET deaths = 3, death = 'x' WHERE number = ?1"
        await database.write(seeds.run_sql, sql, number)
        assert await database.write(poison.park, NOW, 10) == parked
    found = await database.read(poison.page, "n1", 0, 10)
    assert [one.death for one in found] == ["x", "x", KIN, KIN]
    assert await rows(database, "SELECT count(*) FROM batches") == [(4,)], "another's are not"

"""ntfy 50701: a device at which nobody listens for a day of tries is gone, over notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain.absence import DAY, GAP, given_up, missed
from booper.domain.delivery import settle
from booper.domain.outcome import Kind, Outcome
from booper.store import absences, devices, settlements
from tests.booper.store import seeds
from tests.booper.store.seeds import NOW

if TYPE_CHECKING:
    from booper.domain.delivery import Settlement
    from booper.ports import Database

NOBODY = Outcome(Kind.RETRY, 507, "50701", after=3600.0, listening=False)
THERE = Outcome(Kind.ACCEPTED, 200, listening=True)
FULL = Outcome(Kind.RETRY, 429, "42901", after=5.0)
HOUR = 3600.0


async def tried(database: Database, own: str, now: float, *outcomes: Outcome) -> Settlement:
    """Another notification, tried once as an instance does it."""
    await database.write(seeds.notify, own, "news", now)
    await seeds.expand_all(database)
    batches = [
        b for b in await seeds.claim(database, now=NOW + 2 * GAP) if b.notification_id == own
    ]
    (batch,) = batches
    known = await database.read(absences.known, missed(batch, outcomes))
    done = settle(batch, given_up(batch, outcomes, known, now), now=now, dice=0.0)
    assert await database.write(settlements.settle, [done], now) == [True]
    return done


async def absent(database: Database) -> list[tuple[str, float]]:
    rows = await seeds.rows(
        database,
        "SELECT d.id, a.since FROM absences a JOIN devices d ON d.number = a.device ORDER BY d.id",
    )
    return [(own, (since - NOW) / HOUR) for own, since in rows]


async def listeners(database: Database, count: int) -> list[int]:
    return await database.write(seeds.listeners, [seeds.registration(n) for n in range(count)])


async def test_after_a_day_of_absence_it_is_gone_and_the_others_are_not(database: Database) -> None:
    await listeners(database, 3)
    first = await tried(database, "n1", NOW + HOUR, NOBODY, THERE, FULL)
    assert [again.devices for again in first.again]
    assert await absent(database) == [("device-0", 1.0)]
    await tried(database, "n2", NOW + 24 * HOUR, NOBODY, NOBODY, NOBODY)
    assert await absent(database) == [("device-0", 1.0), ("device-1", 24.0), ("device-2", 24.0)]
    done = await tried(database, "n3", NOW + HOUR + DAY, NOBODY, NOBODY, THERE)
    assert [ended.kind for ended in done.final] == [Kind.GONE, Kind.ACCEPTED]
    assert await absent(database) == [("device-1", 24.0)]
    gone = await seeds.rows(database, "SELECT id, gone_reason FROM devices WHERE gone_at > 0")
    assert gone == [("device-0", "nobody has listened for a day: 50701")]
    assert (await seeds.progress(database, "n3")).counts["gone"] == 1


async def test_whoever_was_there_in_between_begins_anew(database: Database) -> None:
    await listeners(database, 1)
    await tried(database, "n1", NOW, NOBODY)
    await tried(database, "n2", NOW + 12 * HOUR, THERE)
    await tried(database, "n3", NOW + 25 * HOUR, NOBODY)
    assert await absent(database) == [("device-0", 25.0)]


async def test_another_failure_says_nothing_of_absence(database: Database) -> None:
    await listeners(database, 1)
    await tried(database, "n1", NOW, NOBODY)
    await tried(database, "n2", NOW + 12 * HOUR, FULL)
    assert await absent(database) == [("device-0", 0.0)]


async def test_one_that_registers_anew_or_was_left_alone_for_long_begins_anew(
    database: Database,
) -> None:
    await listeners(database, 2)
    await tried(database, "n1", NOW, NOBODY, NOBODY)
    await database.write(devices.register, [seeds.registration(0)], NOW + 12 * HOUR)
    done = await tried(database, "n2", NOW + DAY, NOBODY, THERE)
    assert not done.gone
    assert await absent(database) == [("device-0", 24.0)]
    done = await tried(database, "n3", NOW + DAY + GAP + 1, NOBODY, THERE)
    assert not done.gone
    assert await absent(database) == [("device-0", (DAY + GAP + 1) / HOUR)]


async def test_a_device_that_was_deleted_meanwhile_is_no_trouble(database: Database) -> None:
    await listeners(database, 1)
    await database.write(seeds.notify)
    await seeds.expand_all(database)
    (batch,) = await seeds.claim(database)
    await database.write(seeds.run_sql, "DELETE FROM devices")
    done = settle(batch, [NOBODY], now=NOW, dice=0.0)
    assert await database.write(settlements.settle, [done], NOW) == [True]
    assert await absent(database) == []

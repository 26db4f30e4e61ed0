"""The deliveries of a week stand together in PostgreSQL, and go together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from booper.domain.delivery import settle
from booper.domain.outcome import ACCEPTED
from booper.ports import Sql
from booper.store import deliveries, partitions, retention, settlements
from booper.store.partitions import BLOCK, WEEK
from booper.store.postgresql import open_postgresql
from tests.booper.store import seeds
from tests.booper.store.seeds import NOW, audience, claim, expand_all, rows

if TYPE_CHECKING:
    from booper.ports import Database, Tx
    from booper.store.postgresql_driver import PostgresDatabase

THIS = int(NOW // WEEK)
LATER = NOW + 5 * WEEK


async def said(database: Database, own: str) -> int:
    """A notification to three devices, settled; its number."""
    await audience(database, 3, own)
    await expand_all(database)
    for batch in await claim(database):
        done = settle(batch, [ACCEPTED] * len(batch.targets), now=NOW, dice=0.0)
        assert await database.write(settlements.settle, [done], NOW) == [True]
    found = await rows(database, "SELECT number FROM notifications WHERE id = ?", own)
    return int(found[0][0])


async def where(database: Database) -> list[tuple[str, int]]:
    """Which tables the deliveries stand in."""
    sql = "SELECT tableoid::regclass::text, count(*) FROM deliveries GROUP BY 1 ORDER BY 1"
    return [(name, count) for name, count in await rows(database, sql)]


async def tables(database: Database) -> set[str]:
    sql = "SELECT relname::text FROM pg_class WHERE relname LIKE 'deliveries%' AND relkind = 'r'"
    return {name for (name,) in await rows(database, sql)}


async def remove(database: Database, number: int) -> None:
    await database.write(retention.remove, [(number,)], NOW)


async def test_each_week_has_its_own_table_and_its_own_numbers(
    postgresql: PostgresDatabase,
) -> None:
    assert await said(postgresql, "before") < 10
    assert await postgresql.write(partitions.tend, NOW) == 0
    assert await postgresql.write(partitions.tend, NOW) == 0
    number = await said(postgresql, "now")
    assert number == THIS * BLOCK
    assert await said(postgresql, "again") == number + 1
    assert await postgresql.write(partitions.tend, NOW + WEEK) == 0
    assert await said(postgresql, "next") == (THIS + 1) * BLOCK
    assert await where(postgresql) == [
        ("deliveries_first", 3),
        (f"deliveries_w{THIS}", 6),
        (f"deliveries_w{THIS + 1}", 3),
    ]
    for own in ("before", "now", "again", "next"):
        assert len(await postgresql.read(deliveries.page, own, 0, 9)) == 3


async def test_a_week_is_dropped_when_its_last_notification_is_deleted(
    postgresql: PostgresDatabase,
) -> None:
    before = await said(postgresql, "before")
    await postgresql.write(partitions.tend, NOW)
    one, two = [await said(postgresql, own) for own in ("one", "two")]
    assert await postgresql.write(partitions.tend, LATER) == 1, "the empty one after it"
    await said(postgresql, "newest")
    await remove(postgresql, one)
    assert await postgresql.write(partitions.tend, LATER) == 0
    assert f"deliveries_w{THIS}" in await tables(postgresql)
    await remove(postgresql, two)
    await remove(postgresql, before)
    assert await rows(postgresql, "SELECT count(*) FROM purges") == [(3,)]
    assert await postgresql.write(partitions.tend, LATER) == 2
    assert await rows(postgresql, "SELECT count(*) FROM purges") == [(0,)]
    assert await where(postgresql) == [(f"deliveries_w{THIS + 5}", 3)]
    assert await tables(postgresql) == {f"deliveries_w{THIS + n}" for n in (5, 6)}


async def test_this_week_and_the_last_are_never_dropped(postgresql: PostgresDatabase) -> None:
    await postgresql.write(partitions.tend, NOW)
    await postgresql.write(partitions.tend, NOW + WEEK)
    assert f"deliveries_w{THIS}" in await tables(postgresql)
    assert await postgresql.write(partitions.tend, NOW + 2 * WEEK) == 1
    assert f"deliveries_w{THIS}" not in await tables(postgresql)


async def test_whoever_writes_now_is_not_held_up(postgresql_url: str) -> None:
    async with (
        open_postgresql(postgresql_url, connections=3) as here,
        open_postgresql(postgresql_url, connections=3) as there,
    ):
        await here.write(partitions.tend, NOW)

        async def slow(tx: Tx) -> None:
            await seeds.run_sql(tx, "LOCK TABLE deliveries IN ROW EXCLUSIVE MODE")
            await tx.fetch(Sql("SELECT pg_sleep(2)"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(there.write, slow))
            with trio.fail_after(20):
                while not await rows(
                    here,
                    "SELECT 1 FROM pg_locks WHERE mode = 'RowExclusiveLock'"
                    " AND relation = 'deliveries'::regclass",
                ):
                    await trio.sleep(0.01)
            assert await here.write(partitions.tend, LATER) == 0
        assert await here.write(partitions.tend, LATER) == 3


async def test_sqlite_has_nothing_to_do(sqlite: Database) -> None:
    assert await sqlite.write(partitions.tend, NOW) == 0


@pytest.mark.parametrize("week", [0, THIS, 10_000])
def test_a_number_is_exact_in_json_and_javascript(week: int) -> None:
    part = partitions.part_of(week)
    assert part.high <= 2**53
    assert part.high - part.low == BLOCK

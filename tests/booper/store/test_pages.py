"""A page of an audience costs what is on it, wherever it begins and however large the house is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from booper.ports import Sql
from booper.store import audiences
from tests.booper.store.seeds import NOW, listeners, registration, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from booper.ports import Tx
    from booper.store.postgresql_driver import PostgresDatabase

pytestmark = pytest.mark.real
DEVICES, SIZE = 3_000, 10


async def seeded(tx: Tx) -> None:
    """Everybody listens to one channel, and one of them to another."""
    everybody = [registration(number) for number in range(DEVICES)]
    await listeners(tx, everybody, "everybody", NOW)
    await listeners(tx, everybody[:1], "somebody", NOW)


async def test_postgresql_reads_no_more_rows_than_the_page_has(
    postgresql: PostgresDatabase,
) -> None:
    await postgresql.write(seeded)
    await rows(postgresql, "ANALYZE")
    found = await rows(postgresql, "SELECT channel, count(*) FROM subscriptions GROUP BY 1")
    (lonely,) = (channel for channel, count in found if count == 1)
    (crowded,) = (channel for channel, count in found if count > 1)
    pages = ((crowded, DEVICES - 100, SIZE), (crowded, 0, SIZE), (lonely, 0, 1))
    for channel, after, most in pages:
        numbers = await postgresql.write(_rows_read, audiences._CHANNEL.numbers, channel, after)
        near = await postgresql.write(_rows_read, audiences._CHANNEL.near, channel, after)
        assert most <= numbers <= most + 1, f"{numbers} rows for a page of {most}"
        assert most <= near <= 2 * most + 2, f"{near} rows for a page of {most} with their devices"


async def _rows_read(tx: Tx, page: Sql, channel: int, after: int) -> int:
    """How many rows the scans gave or threw away, by the plan for any channel and any place."""
    await tx.execute(Sql("SET LOCAL plan_cache_mode = force_generic_plan"))
    prepare = f"PREPARE page (bigint, bigint, bigint) AS {page.for_postgresql}"
    await tx.execute(Sql(prepare, prepare))
    explain = f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE page ({channel}, {after}, {SIZE})"
    ((plan,),) = await tx.fetch(Sql(explain))
    await tx.execute(Sql("DEALLOCATE page"))
    return sum(map(_read, _scans(msgspec.json.decode(plan)[0]["Plan"])))


def _scans(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "Relation Name" in node:
        yield node
    for child in node.get("Plans", []):
        yield from _scans(child)


def _read(scan: dict[str, Any]) -> int:
    rows = scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)
    return int(rows * scan["Actual Loops"])

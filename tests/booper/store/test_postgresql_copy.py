"""Rows that are copied are the rows that an INSERT would have made, to the last bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from booper.bridge import open_bridge
from booper.domain.delivery import Result
from booper.domain.outcome import ACCEPTED, Kind, Outcome
from booper.store import deliveries, postgresql_copy
from booper.store.postgresql_driver import COPIED
from tests.booper.store.seeds import NOW, notify, rows, run_sql

if TYPE_CHECKING:
    from booper.ports import Database, Tx

MANY = range(1, 3 * COPIED)
_ALL = "SELECT device, outcome, status, reason, provider_id, attempt, finished_at FROM deliveries"
_NUMBERS = st.integers(-(2**63), 2**63 - 1)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def accepted(devices: range) -> list[Result]:
    return [Result(device, ACCEPTED) for device in devices]


async def test_many_and_few_are_written_alike(database: Database) -> None:
    async def work(tx: Tx) -> None:
        for own in ("n1", "n2"):
            await notify(tx, own)
        await deliveries.append(tx, 1, accepted(MANY), 3, NOW)
        for device in MANY:
            await deliveries.append(tx, 2, accepted(range(device, device + 1)), 3, NOW)

    await database.write(work)
    many = await rows(database, f"{_ALL} WHERE notification = 1 ORDER BY device")
    assert many == await rows(database, f"{_ALL} WHERE notification = 2 ORDER BY device")
    assert [row[0] for row in many] == [*MANY]
    assert set(many[0][1:]) == {"accepted", 200, "", 3, NOW}


async def test_a_device_that_has_an_outcome_keeps_it(database: Database) -> None:
    failed = Outcome(Kind.FAILED, 400, "ünbekannt 💥")

    async def work(tx: Tx) -> None:
        await notify(tx)
        await deliveries.append(tx, 1, accepted(range(7, 8)), 1, NOW)
        await deliveries.append(tx, 1, [Result(device, failed) for device in MANY], 2, NOW + 1)
        await deliveries.append(tx, 1, accepted(MANY), 3, NOW + 2)
        await run_sql(tx, "UPDATE deliveries SET reason = 'seen' WHERE device = ?", 9)

    await database.write(work)
    found = await rows(database, f"{_ALL} ORDER BY device")
    assert [row[0] for row in found] == [*MANY]
    assert found[6][1:] == ("accepted", 200, "", "", 1, NOW)
    assert found[8][3] == "seen", "the transaction went on"
    assert {row[1:] for row in found if row[0] not in (7, 9)} == {
        ("failed", 400, failed.reason, "", 2, NOW + 1)
    }


async def read_back(url: str, numbers: list[int], alike: tuple[object, ...]) -> list[object]:
    """What PostgreSQL makes of it."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TEMP TABLE t (a BIGINT, b BIGINT, c FLOAT8, d TEXT)")
        source = postgresql_copy.source(numbers, alike)
        await connection.copy_to_table("t", source=source, format="binary")
        return [tuple(row) for row in await connection.fetch("SELECT * FROM t")]
    finally:
        await connection.close()


@pytest.mark.real
@settings(
    max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    numbers=st.lists(_NUMBERS, max_size=40),
    number=st.none() | _NUMBERS,
    fraction=st.none() | st.floats(allow_nan=False),
    text=st.none() | _TEXTS,
)
async def test_whatever_they_hold(
    postgresql_server: str,
    numbers: list[int],
    number: int | None,
    fraction: float | None,
    text: str | None,
) -> None:
    alike = (number, fraction, text)
    async with open_bridge() as bridge:
        found = await bridge.call(read_back, postgresql_server, numbers, alike)
    assert found == [(one, *alike) for one in numbers]


def test_what_fits_no_column_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes"):
        postgresql_copy.rows([1], [b"?"])

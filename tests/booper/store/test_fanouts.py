"""Fan-out: each listener gets into exactly one batch, whatever happens between two pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from booper.domain.delivery import BATCH_SIZE
from booper.domain.routing import Routes
from booper.store import devices, fanouts
from booper.store.sqlite import open_sqlite
from tests.booper.store.seeds import (
    NOW,
    ROUTES,
    audience,
    expand_all,
    listeners,
    notify,
    progress,
    registration,
    rows,
)

if TYPE_CHECKING:
    from pathlib import Path

    from booper.ports import Database, Tx


async def batched(database: Database) -> dict[str, list[list[int]]]:
    """Instance → its batches, as runs of device numbers."""
    found: dict[str, list[list[int]]] = {}
    sql = "SELECT instance, devices, size FROM batches ORDER BY number"
    for instance, run, size in await rows(database, sql):
        devices = msgspec.json.decode(run)
        assert len(devices) == size
        found.setdefault(instance, []).append(devices)
    return found


async def test_an_audience_becomes_batches_of_at_most_500(database: Database) -> None:
    numbers = await audience(database, 1201)
    page = await database.write(fanouts.expand, ROUTES, 0, NOW)
    assert page is not None
    assert (page.devices, page.last) == (1201, True)
    (runs,) = (await batched(database)).values()
    assert [len(run) for run in runs] == [BATCH_SIZE, BATCH_SIZE, 201]
    assert [device for run in runs for device in run] == numbers
    shown = await progress(database)
    assert (shown.state, shown.devices, shown.pending) == ("sending", 1201, 1201)
    assert await database.write(fanouts.expand, ROUTES, 0, NOW) is None


@pytest.mark.parametrize("size", [1, 7, 10, 25, 26])
async def test_a_crash_between_two_pages_neither_doubles_nor_loses_a_device(
    tmp_path: Path, size: int
) -> None:
    file = tmp_path / "b.sqlite3"
    async with open_sqlite(file) as database:
        numbers = await audience(database, 25)
    last = False
    for _ in range(30):  # a new process for every page
        async with open_sqlite(file) as database:
            page = await database.write(fanouts.expand, ROUTES, 0, NOW, size)
            assert page is not None
            shown = await progress(database)
            last = page.last
            assert shown.state == ("sending" if last else "queued")
            if last:
                break
    assert last
    async with open_sqlite(file) as database:
        runs = (await batched(database))["main"]
        assert [device for run in runs for device in run] == numbers
        assert (await progress(database)).devices == 25


async def test_a_page_that_fails_leaves_the_position_where_it_was(database: Database) -> None:
    numbers = await audience(database, 9)

    class PowerCutError(Exception):
        pass

    async def cut(tx: Tx) -> None:
        await fanouts.expand(tx, ROUTES, 0, NOW, 4)
        raise PowerCutError

    for _ in range(3):
        with pytest.raises(PowerCutError):
            await database.write(cut)
        await database.write(fanouts.expand, ROUTES, 0, NOW, 4)
    runs = (await batched(database))["main"]
    assert [device for run in runs for device in run] == numbers
    assert (await progress(database)).state == "sending"


async def test_small_audiences_share_a_transaction(
    database: Database,
) -> None:
    await audience(database, 3)
    for number in range(fanouts.TURNS + 4):
        await database.write(notify, f"more-{number}")
    waiting = "SELECT count(*) FROM fanouts"
    assert await rows(database, waiting) == [(fanouts.TURNS + 5,)]
    page = await database.write(fanouts.advance, ROUTES, 0, NOW)
    assert page is not None
    assert await rows(database, waiting) == [(5,)]
    assert await database.write(fanouts.advance, ROUTES, page.notification, NOW) is not None
    assert await rows(database, waiting) == [(0,)]
    assert await database.write(fanouts.advance, ROUTES, 0, NOW) is None
    assert len((await batched(database))["main"]) == fanouts.TURNS + 5


async def test_an_audience_that_fits_its_pages_exactly_ends(database: Database) -> None:
    await audience(database, 20)
    assert await expand_all(database, size=10) <= 3
    shown = await progress(database)
    assert (shown.state, shown.devices) == ("sending", 20)


async def test_each_device_goes_to_its_route_and_the_unrouted_are_told(
    database: Database,
) -> None:
    async def work(tx: Tx) -> list[int]:
        found = await listeners(
            tx,
            [
                registration(1),
                registration(2, "other"),
                registration(3, "unknown"),
                registration(4, provider="fcm"),
            ],
        )
        await notify(tx)
        return found

    default, other, unknown, fcm = await database.write(work)
    routes = Routes({"main": "apns", "other": "apns"}, {"apns": "main"})
    await database.write(fanouts.expand, routes, 0, NOW)
    assert await batched(database) == {"main": [[default]], "other": [[other]]}
    shown = await progress(database)
    assert (shown.devices, shown.pending, shown.counts["not_configured"]) == (4, 2, 2)
    told = await rows(
        database, "SELECT device, outcome, attempt FROM every_delivery ORDER BY device"
    )
    assert told == [(unknown, "not_configured", 0), (fcm, "not_configured", 0)]


@pytest.mark.parametrize("size", [0, 3])
async def test_without_anybody_to_send_to_a_notification_is_done(
    database: Database, size: int
) -> None:
    await audience(database, size)
    await database.write(fanouts.expand, Routes({}, {}), 0, NOW)
    shown = await progress(database)
    assert (shown.state, shown.devices, shown.finished_at) == ("done", size, NOW)
    assert shown.counts["not_configured"] == size
    assert await batched(database) == {}


async def test_who_has_gone_gets_nothing_and_who_is_back_does(database: Database) -> None:
    one, two, three = await audience(database, 3)
    await database.write(devices.mark_gone, [(one, "x"), (two, "x")], NOW)
    await database.write(devices.register, [registration(1)], NOW)
    await expand_all(database)
    assert await batched(database) == {"main": [[two, three]]}


async def test_only_the_channel_s_own_listeners_are_reached(database: Database) -> None:
    async def work(tx: Tx) -> list[int]:
        await listeners(tx, [registration(n) for n in range(4)], "other")
        found = await listeners(tx, [registration(n) for n in (2, 9)], "news")
        await notify(tx, "n1", "news")
        return found

    numbers = await database.write(work)
    await expand_all(database)
    assert await batched(database) == {"main": [sorted(numbers)]}


async def test_waiting_audiences_take_turns(database: Database) -> None:
    async def work(tx: Tx) -> None:
        await listeners(tx, [registration(n) for n in range(6)])
        for own in ("n1", "n2", "n3"):
            await notify(tx, own)

    await database.write(work)
    turns, after = [], 0
    while (page := await database.write(fanouts.expand, ROUTES, after, NOW, 3)) is not None:
        after = page.notification
        turns.append(after)
    assert turns[:6] == [1, 2, 3, 1, 2, 3]

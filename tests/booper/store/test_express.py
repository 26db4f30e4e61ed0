"""Express: a small audience is cut and leased at once, and nobody in line loses a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from booper.domain.fairness import line
from booper.domain.routing import Routes
from booper.store import agenda, channels, devices, fanouts, notifications
from booper.store.express import SMALL, Express
from booper.store.notifications import Accepted
from tests.booper.store.seeds import (
    NOW,
    ROUTES,
    audience,
    claim,
    listeners,
    notify,
    progress,
    registration,
    rows,
    run_sql,
)

if TYPE_CHECKING:
    from booper.ports import Database, Row, Tx
    from booper.store.fanouts import Page

_BRAKE = "INSERT INTO brakes (instance, since, paused, dead, judged) VALUES ('main', 1, 1, 1, 1)"


def express(*full: str) -> Express:
    """Everybody but these can be handed something."""
    return Express("mine", "node", NOW + 30, lambda instance, _: instance not in full)


async def advance(database: Database, with_: Express, routes: Routes = ROUTES) -> Page:
    page = await database.write(fanouts.advance, routes, 0, NOW, with_)
    assert page is not None
    return page


async def batches(database: Database) -> list[Row]:
    return await rows(
        database, "SELECT size, lease, lease_until, leased_by, line FROM batches ORDER BY number"
    )


async def test_a_small_audience_is_leased_as_it_is_cut(database: Database) -> None:
    numbers = await audience(database, 3)
    page = await advance(database, express())
    (one,) = page.claimed
    assert (page.devices, page.last, page.waiting) == (3, True, 0)
    assert one.devices == numbers
    assert (one.batch.lease, one.batch.instance, one.batch.attempt) == ("mine", "main", 1)
    assert (one.batch.notification_id, one.batch.content) == ("n1", "{}")
    assert (one.batch.created_at, one.batch.expires_at) == (NOW, NOW + 86_400)
    batch = one.opened([raw.decode() for raw in one.sealed])
    assert [target.token for target in batch.targets] == [f"{n:064x}" for n in range(3)]
    assert await batches(database) == [(3, "mine", NOW + 30, "node", one.batch.line)]
    assert await database.write(fanouts.advance, ROUTES, 0, NOW, express()) is None


async def test_it_is_as_it_would_be_had_it_been_claimed(database: Database) -> None:
    await audience(database, 3)
    (one,) = (await advance(database, express())).claimed
    await database.write(notify, "n2")
    await database.write(fanouts.advance, ROUTES, 0, NOW)
    (other,) = await claim(database)
    same = one.opened([raw.decode() for raw in one.sealed])
    assert same.targets == other.targets
    assert (same.instance, same.attempt, same.line) == (other.instance, other.attempt, other.line)


async def test_who_can_be_handed_nothing_finds_it_in_line(database: Database) -> None:
    await audience(database, 3)
    page = await advance(database, express("main"))
    assert (page.claimed, page.waiting) == ([], 1)
    ((size, lease, until, by, _),) = await batches(database)
    assert (size, lease, until, by) == (3, None, None, None)
    assert len(await claim(database)) == 1


async def test_nothing_goes_ahead_in_its_own_line(database: Database) -> None:
    await audience(database, 3)
    await advance(database, express("main"))

    async def more(tx: Tx) -> None:
        await notify(tx, "n2")
        await notify(tx, "n3", "others")

    await database.write(more)
    page = await advance(database, express())
    assert [one.batch.notification_id for one in page.claimed] == [], "nobody listens to the other"
    assert page.waiting == 1
    assert [row[1] for row in await batches(database)] == [None, None]


async def test_what_waits_in_another_line_does_not_hold_it_up(database: Database) -> None:
    await audience(database, 3)
    await advance(database, express("main"))

    async def other(tx: Tx) -> None:
        await listeners(tx, [registration(9)], "others")
        await notify(tx, "n2", "others")

    await database.write(other)
    page = await advance(database, express())
    assert [one.batch.notification_id for one in page.claimed] == ["n2"]


async def test_a_paused_instance_is_handed_nothing(database: Database) -> None:
    await audience(database, 3)
    await database.write(run_sql, _BRAKE)
    page = await advance(database, express())
    assert (page.claimed, page.waiting) == ([], 1)
    assert (await database.read(agenda.look)).waiting == [], "nor is it claimed for it"


@pytest.mark.parametrize("count", [SMALL, SMALL + 1])
async def test_only_a_small_one_goes_ahead(database: Database, count: int) -> None:
    await audience(database, count)
    page = await advance(database, express())
    assert [len(one.devices) for one in page.claimed] == ([count] if count == SMALL else [])
    assert page.waiting == (count != SMALL)


async def test_the_rest_of_a_large_one_does_not_go_ahead(database: Database) -> None:
    await audience(database, 5)
    await database.write(fanouts.expand, ROUTES, 0, NOW, 3)
    page = await advance(database, express())
    assert (page.devices, page.last, page.claimed, page.waiting) == (2, True, [], 1)


async def test_each_instance_has_its_own(database: Database) -> None:
    routes = Routes({"main": "apns", "other": "apns"}, {})

    async def work(tx: Tx) -> None:
        some = [registration(n, ("main", "other", "nowhere")[n % 3]) for n in range(6)]
        numbers = await listeners(tx, some)
        await devices.mark_gone(tx, [(numbers[0], "Unregistered")], NOW)
        await notify(tx)

    await database.write(work)
    page = await advance(database, express("other"), routes)
    assert [(one.batch.instance, len(one.devices)) for one in page.claimed] == [("main", 1)]
    assert page.waiting == 1
    assert sorted(row[:2] for row in await batches(database)) == [(1, "mine"), (2, None)]
    account = await progress(database)
    assert (account.devices, account.counts["not_configured"]) == (5, 2)


async def test_several_in_one_transaction(database: Database) -> None:
    async def work(tx: Tx) -> None:
        for n in range(3):
            await listeners(tx, [registration(n)], f"room-{n}")
            await notify(tx, f"n{n}", f"room-{n}")

    await database.write(work)
    page = await advance(database, express())
    assert [one.batch.notification_id for one in page.claimed] == ["n0", "n1", "n2"]
    assert (page.devices, page.waiting) == (3, 0)


async def test_an_urgent_one_keeps_its_line(database: Database) -> None:
    async def work(tx: Tx) -> int | None:
        await listeners(tx, [registration(1)])
        room = await channels.find(tx, "news")
        await notifications.accept(tx, [Accepted("n1", room, "{}", NOW, NOW + 60, urgent=1)])
        return room

    room = await database.write(work)
    assert room is not None
    (one,) = (await advance(database, express())).claimed
    assert one.batch.line == line(room, urgent=True)

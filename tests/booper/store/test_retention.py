"""What is old leaves the lists and then the tables, by plan, in small steps, and never too soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from booper.domain.delivery import settle
from booper.domain.outcome import ACCEPTED, Kind, Outcome
from booper.domain.receipt import Late, Ticket, Verdict
from booper.domain.retention import DAY, GRACE, Terms, first_id
from booper.ports import Sql
from booper.store import accounts, apps, deliveries, notifications, receipts, retention, settlements
from booper.store.notifications import Accepted
from tests.booper.store import seeds
from tests.booper.store.seeds import NOW, claim, expand_all, listeners, registration, rows
from tests.booper.store.test_accounts import account

if TYPE_CHECKING:
    from booper.ports import Database, Tx
    from booper.store.retention import Swept

PUBLIC = Terms(7, 30)
PLANS = {"free": PUBLIC, "pro": Terms(30, 100), "business": Terms(0, 0)}
HISTORY = "SELECT n.id, n.archived_at FROM notifications n ORDER BY n.id"


def own(age: float, number: int = 0) -> str:
    """The id of a notification that was made `age` days ago."""
    return f"{first_id(NOW - age * DAY)}-7000-8000-{number:012x}"


async def app(database: Database, name: str, plan: str, changed_at: float = 0.0) -> str:
    """An app of that name and plan."""

    async def work(tx: Tx) -> None:
        owner = await accounts.find_by_email(tx, "a1@a.example") or await account(tx)
        made = await apps.create(tx, name, owner.number, name, "other", changed_at)
        await apps.change(tx, made, name, plan, changed_at)

    await database.write(work)
    return name


async def said(
    database: Database, age: float, tenant: str = "", size: int = 1, count: int = 1
) -> list[str]:
    """`count` notifications of `age` days to `size` devices, settled as accepted; their ids."""
    now = NOW - age * DAY
    ids = [own(age, number) for number in range(count)]

    async def accept(tx: Tx) -> None:
        await listeners(tx, [registration(n) for n in range(size)], now=now)
        ((room,),) = await tx.fetch(Sql("SELECT number FROM channels"))
        await notifications.accept(
            tx, [Accepted(one, room, "{}", now, now + DAY, tenant) for one in ids]
        )

    await database.write(accept)
    await expand_all(database)
    while batches := await claim(database, now=NOW):
        for batch in batches:
            done = settle(batch, [ACCEPTED] * len(batch.targets), now=now, dice=0.0)
            assert await database.write(settlements.settle, [done], now) == [True]
    return ids


async def swept(
    database: Database, now: float = NOW, limit: int = 1000, looks: int = 100
) -> list[Swept]:
    """Every piece of one round."""
    pieces, after, more = [], None, True
    while more:
        piece = await database.write(retention.sweep, PLANS, PUBLIC, after, now, limit, looks)
        pieces.append(piece)
        after, more = piece.after, piece.more
    return pieces


async def there(database: Database) -> dict[str, bool]:
    """The notifications that are there, and which of them are archived."""
    return {one: archived is not None for one, archived in await rows(database, HISTORY)}


async def test_each_plan_has_its_own_clock(database: Database) -> None:
    ages = (1, 8, 31, 101)
    tenants = ["", *[await app(database, name, name) for name in PLANS]]
    made = {(t, age): (await said(database, age, t))[0] for t in [""] for age in ages}
    for index, tenant in enumerate(tenants[1:], 1):
        for age in ages:
            made[tenant, age] = own(age, 100 + index)
            await database.write(_one, made[tenant, age], tenant, NOW - age * DAY)
    newest = (await said(database, 0))[0]
    await swept(database)
    found = await there(database)
    state = {
        tenant: ["-" if (one := made[tenant, age]) not in found else found[one] for age in ages]
        for tenant in tenants
    }
    assert state == {
        "": [False, True, "-", "-"],
        "free": [False, True, "-", "-"],
        "pro": [False, False, True, "-"],
        "business": [False, False, False, False],
    }
    assert found[newest] is False


async def _one(tx: Tx, own: str, tenant: str, now: float) -> None:
    """A notification that is done, to nobody."""
    await notifications.accept(tx, [Accepted(own, None, "{}", now, now + DAY, tenant)])
    await seeds.run_sql(tx, "DELETE FROM fanouts")
    sql = "UPDATE notifications SET state = 'done', finished_at = ?1 WHERE id = ?2"
    await seeds.run_sql(tx, sql, now, own)


async def test_archived_is_hidden_from_the_lists_and_read_by_its_id(database: Database) -> None:
    (old,) = await said(database, 8)
    (new,) = await said(database, 1)
    await swept(database)
    listed = await database.read(lambda tx: notifications.of_tenant(tx, "", "", 9, archived=False))
    assert [one.id for one in listed] == [new]
    every = await database.read(lambda tx: notifications.of_tenant(tx, "", "", 9, archived=True))
    assert [one.id for one in every] == [new, old]
    shown = await seeds.progress(database, old)
    assert (shown.archived_at, shown.counts["accepted"]) == (NOW, 1)
    await swept(database, NOW + DAY)
    assert (await seeds.progress(database, old)).archived_at == NOW, "archived once"


async def test_deleted_is_gone_at_once_and_its_rows_follow_step_by_step(
    database: Database,
) -> None:
    (old,) = await said(database, 31, size=25)
    (new,) = await said(database, 1, size=25)
    assert len(await database.read(deliveries.page, old, 0, 100)) == 25
    await swept(database)
    assert await database.read(notifications.progress, old) is None
    assert await database.read(deliveries.page, old, 0, 100) == [], "readers see all or nothing"
    steps = []
    while done := await database.write(retention.purge, NOW + 30 * DAY, 10):
        steps.append(done)
    assert max(steps) <= 10
    assert await rows(database, "SELECT count(*) FROM every_delivery") == [(25,)]
    assert await rows(database, "SELECT 1 FROM purges") == []
    assert len(await database.read(deliveries.page, new, 0, 100)) == 25


async def test_steps_are_small_however_much_there_is(database: Database) -> None:
    await said(database, 31, count=23)
    await said(database, 0)
    pieces = await swept(database, limit=5)
    assert [piece.deleted for piece in pieces if piece.deleted] == [5, 5, 5, 5, 3]
    assert len(await there(database)) == 1


OF = "FROM notifications WHERE id = ?1"
BATCH = (
    "INSERT INTO batches (notification, instance, devices, size, due_at)"
    f" SELECT number, 'main', '[1]', 1, 0 {OF}"
)


@pytest.mark.parametrize(
    "waits",
    [
        f"INSERT INTO receipts SELECT number, 1, 'main', 't', 0, 0 {OF}",
        BATCH,
        f"INSERT INTO fanouts (notification) SELECT number {OF}",
        f"INSERT INTO schedules (notification, due_at) SELECT number, 0 {OF}",
        "UPDATE notifications SET state = 'sending', finished_at = NULL WHERE id = ?1",
    ],
)
async def test_what_is_not_final_stays_however_old(database: Database, waits: str) -> None:
    (old,) = await said(database, 400)
    await said(database, 0)
    await database.write(seeds.run_sql, waits, old)
    await swept(database)
    assert (await there(database))[old] is False


async def test_age_counts_from_the_end_and_not_from_the_beginning(database: Database) -> None:
    """Scheduled 29 days ahead, it would be deleted the day after."""
    (old,) = await said(database, 31)
    await said(database, 0)
    sql = "UPDATE notifications SET finished_at = ?1 WHERE id = ?2"
    await database.write(seeds.run_sql, sql, NOW - 2 * DAY, old)
    await swept(database)
    assert (await there(database))[old] is False


async def test_a_downgrade_deletes_nothing_for_a_week(database: Database) -> None:
    shop = await app(database, "shop", "free", NOW - GRACE + 1)
    (old,) = await said(database, 31, shop)
    await said(database, 0)
    await swept(database)
    assert (await there(database))[old] is False
    await swept(database, NOW + 1)
    assert old not in await there(database)


async def test_an_upgrade_keeps_what_is_archived_archived(database: Database) -> None:
    shop = await app(database, "shop", "free")
    (old,) = await said(database, 8, shop)
    await said(database, 0)
    await swept(database)

    async def upgrade(tx: Tx) -> None:
        found = await apps.find(tx, shop)
        assert found is not None
        await apps.change(tx, found, "shop", "business", NOW)

    await database.write(upgrade)
    await swept(database, NOW + 400 * DAY)
    assert (await there(database))[old] is True


async def test_renaming_an_app_is_no_change_of_plan(database: Database) -> None:
    shop = await app(database, "shop", "free", 1.0)

    async def rename(tx: Tx) -> None:
        found = await apps.find(tx, shop)
        assert found is not None
        await apps.change(tx, found, "store", "free", NOW)

    await database.write(rename)
    assert await rows(database, "SELECT plan_changed_at FROM apps") == [(1.0,)]


async def test_every_tenant_has_its_turn(database: Database) -> None:
    names = [await app(database, f"app-{number}", "free") for number in range(8)]
    for number, name in enumerate(names):
        await database.write(_one, own(31, number), name, NOW - 31 * DAY)
    await said(database, 0)
    pieces = await swept(database, limit=2, looks=3)
    assert len(pieces) > 4
    assert sum(piece.deleted for piece in pieces) == 8
    assert len(await there(database)) == 1


async def test_a_late_receipt_of_a_deleted_notification_changes_nothing(
    database: Database,
) -> None:
    await said(database, 31)
    await said(database, 0)
    await swept(database)
    ticket = Ticket(1, 1, "t", NOW)
    late = Verdict((Late(ticket, Outcome(Kind.FAILED)),), ())
    assert await database.write(receipts.settle, "main", late, NOW) == 0

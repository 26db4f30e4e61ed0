"""A deleted app sends nothing more, and step by step nothing of it is left; nobody else's goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from booper.domain.retention import DAY
from booper.domain.wanted import Wanted
from booper.ports import Sql
from booper.store import apps, closure, fanouts, instances, notifications, poison
from booper.store.instances import Kept
from booper.store.notifications import Accepted
from tests.booper.store import seeds
from tests.booper.store.seeds import NOW, ROUTES, claim, expand_all, progress, rows
from tests.booper.store.test_retention import app

if TYPE_CHECKING:
    from booper.domain.wanted import Wanted as Gone
    from booper.ports import Database, Tx

TABLES = (
    *("subscriptions", "grants", "members", "access_codes", "api_keys", "channels"),
    *("idempotency_keys", "quotas", "access_tokens", "instances", "instance_generations"),
    *("notifications", "schedules", "apps"),
)
ROWS = """
INSERT INTO channels (id, name, app, created_at)
 SELECT '{0}-c', '{0}/c', number, 0 FROM apps WHERE id = '{0}';
INSERT INTO members (app, device, joined_at)
 SELECT a.number, d.number, 0 FROM apps a, devices d WHERE a.id = '{0}';
INSERT INTO subscriptions (channel, device, id, created_at)
 SELECT c.number, d.number, '{0}-s-' || d.id, 0 FROM channels c, devices d WHERE c.id = '{0}-c';
INSERT INTO grants (channel, device, granted_at)
 SELECT c.number, d.number, 0 FROM channels c, devices d WHERE c.id = '{0}-c';
INSERT INTO api_keys (id, app, name, hash, scopes, created_at)
 SELECT '{0}-k', number, '{0}-k', '', '[]', 0 FROM apps WHERE id = '{0}';
INSERT INTO access_codes (id, app, digest, short, channels, identifier, created_at, expires_at)
 SELECT '{0}-a', number, '{0}-a', 1, '[]', '', 0, 0 FROM apps WHERE id = '{0}';
INSERT INTO idempotency_keys VALUES ('app {0}', 'k', 'h', 'n', 'queued', 0);
INSERT INTO quotas VALUES ('{0}', 1, 1);
INSERT INTO access_tokens VALUES ('{0}', 'google', 'cached', 1, 'sealed', 0, 1)
"""


async def tenant(database: Database, own: str, states: tuple[str, ...] = ("done",)) -> None:
    """An app with something in every table, ten of what there may be many of."""
    await app(database, own, "free")

    async def work(tx: Tx) -> None:
        await seeds.listeners(tx, [seeds.registration(n) for n in range(10)])
        for sql in ROWS.format(own).split(";"):
            await seeds.run_sql(tx, sql)
        wanted = Wanted(f"{own}/main", own, "main", "apns", "api", 1, 1, 1, NOW, "me")
        await instances.insert(tx, wanted)
        await instances.keep(tx, wanted.key, Kept(1, "sealed", "{}", "f", NOW, "me"))
        for number, state in enumerate(states):
            later = NOW + DAY if state == "scheduled" else None
            named, until = '{"everyone":true}', NOW + DAY
            everyone = Accepted(
                f"{own}-{number}", None, "{}", NOW, until, own, named, scheduled_at=later
            )
            await notifications.accept(tx, [everyone])
            if state == "done":
                await seeds.run_sql(tx, "DELETE FROM fanouts")
                sql = "UPDATE notifications SET state = 'done', finished_at = 1 WHERE id = ?1"
                await seeds.run_sql(tx, sql, everyone.id)

    await database.write(work)


async def delete(database: Database, own: str) -> list[Gone]:
    async def work(tx: Tx) -> list[Gone]:
        found = await apps.find(tx, own)
        assert found is not None
        await apps.delete(tx, found.number, NOW)
        return await closure.seal_off(tx, own, NOW)

    return await database.write(work)


async def closed(database: Database, limit: int = 1000) -> list[int]:
    """Every step of one round, a day later."""
    steps, after, more = [], None, True
    while more:
        found = await database.write(closure.step, NOW + DAY, after, limit)
        steps.append(found.rows)
        after, more = found.after, found.more
    return steps


async def counts(database: Database) -> dict[str, int]:
    async def work(tx: Tx) -> dict[str, int]:
        return {
            name: (await tx.fetch(Sql(f"SELECT count(*) FROM {name}")))[0][0] for name in TABLES
        }

    return await database.read(work)


async def test_nothing_of_it_is_left_and_all_of_the_others(database: Database) -> None:
    await tenant(database, "ann", ("done", "scheduled"))
    before = await counts(database)
    assert all(before.values()), before
    await tenant(database, "bea", ("done", "scheduled", "done"))
    (gone,) = await delete(database, "bea")
    assert (gone.key, gone.version) == ("bea/main", 2)
    assert await rows(database, "SELECT instance FROM instance_generations") == [("ann/main",)]
    assert await rows(database, "SELECT tenant FROM access_tokens") == [("ann",)]
    await seeds.audience(database, 1, "newest")
    before["notifications"] += 1
    for table in ("channels", "subscriptions"):
        before[table] = (await rows(database, f"SELECT count(*) FROM {table}"))[0][0]
    before["channels"] -= 1
    before["subscriptions"] -= 10
    steps = await closed(database, limit=7)
    assert max(steps) <= 7
    assert await counts(database) == before
    audit = await rows(database, "SELECT verb FROM instance_audit WHERE tenant = 'bea'")
    assert audit == [("delete",)], "the audit stays"


async def test_nothing_is_touched_for_a_minute(database: Database) -> None:
    await tenant(database, "ann")
    await delete(database, "ann")
    before = await counts(database)
    assert await database.write(closure.step, NOW + closure.DELAY, None) == (0, False, None)
    assert await counts(database) == before


@pytest.mark.parametrize("stage", ["queued", "half cut", "cut", "suspect"])
async def test_its_open_work_ends_where_it_stands(database: Database, stage: str) -> None:
    await tenant(database, "ann", ("queued",))
    await seeds.audience(database, 1, "newest")
    if stage == "half cut":
        await database.write(fanouts.expand, ROUTES, 0, NOW, 4)
    elif stage != "queued":
        await expand_all(database)
    if stage == "suspect":
        await database.write(seeds.run_sql, "UPDATE batches SET deaths = 1")
    await delete(database, "ann")
    await expand_all(database)
    claimed = await claim(database)
    assert {batch.notification_id for batch in claimed} == {"newest"}, "nobody is handed it"
    shown = await progress(database, "ann-0")
    cut = {"queued": 0, "half cut": 4}.get(stage, 10)
    state = "cancelled" if stage == "queued" else "done"
    assert (shown.state, shown.pending, shown.counts["failed"]) == (state, 0, cut)
    await closed(database)
    assert await rows(database, "SELECT id FROM notifications") == [("newest",)]
    assert await rows(database, "SELECT 1 FROM apps") == []


async def test_what_is_in_a_sender_s_hand_is_waited_for(database: Database) -> None:
    await tenant(database, "bea")
    await tenant(database, "ann", ("queued",))
    await expand_all(database)
    (batch,) = await claim(database)
    for own in ("ann", "bea"):
        await delete(database, own)
    await seeds.audience(database, 1, "newest")
    await closed(database)
    left = await rows(database, "SELECT id FROM apps")
    assert left == [("ann",)], "the next one does not wait for it"
    await database.write(seeds.run_sql, "UPDATE batches SET lease = NULL")
    await claim(database)
    await closed(database)
    assert await rows(database, "SELECT 1 FROM apps") == []
    assert batch.notification_id == "ann-0"


async def test_an_instance_made_at_the_last_moment_goes_too(database: Database) -> None:
    await tenant(database, "ann")
    await delete(database, "ann")
    late = Wanted("ann/late", "ann", "late", "apns", "api", 1, 1, 1, NOW, "me")
    await database.write(instances.insert, late)
    await closed(database)
    assert await rows(database, "SELECT 1 FROM instances") == []


async def test_a_parked_batch_keeps_its_app_s_rows_until_it_ends(database: Database) -> None:
    await tenant(database, "ann", ("queued",))
    await expand_all(database)
    await seeds.audience(database, 1, "newest")
    await database.write(seeds.run_sql, "UPDATE batches SET deaths = 3")
    await database.write(poison.park, NOW, 10)
    await delete(database, "ann")
    await closed(database)
    assert await rows(database, "SELECT id FROM apps") == [("ann",)]
    assert await database.write(poison.expire, NOW + 2 * DAY, 10) == 1
    await closed(database)
    assert await rows(database, "SELECT 1 FROM apps") == []

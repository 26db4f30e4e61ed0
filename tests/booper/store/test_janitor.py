"""The janitor on both databases: what it sweeps, and that of two nodes one does each piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
import trio

from actors import Registry
from booper.clock import UuidIds
from booper.domain.retention import DAY
from booper.domain.routing import Routes
from booper.ports import Sql
from booper.settings import Settings
from booper.store import notifications, retention
from booper.store.postgresql import open_postgresql
from booper.workers.janitor import Janitor
from tests.booper.store import seeds
from tests.booper.store.seeds import NOW, audience, claim, expand_all, progress, rows
from tests.booper.store.test_retention import own, said
from tests.booper.workers.effects import ports

if TYPE_CHECKING:
    from booper.ports import Database, Tx

KEY = "INSERT INTO idempotency_keys VALUES ('me', ?1, 'h', 'n', 'queued', ?2)"
ACCOUNT = "INSERT INTO accounts (id, email, password, created_at) VALUES (?1, ?1, '', ?2)"
SESSION = (
    "INSERT INTO sessions (id, account, created_at, used_at, expires_at)"
    " SELECT ?1, number, 0, 0, ?2 FROM accounts WHERE id = ?1"
)
APP = (
    "INSERT INTO apps (id, account, name, plan, created_at)"
    " SELECT ?1, number, '', 'free', ?2 FROM accounts WHERE id = ?1"
)
GUESS = "INSERT INTO access_guesses VALUES (?1, ?2)"
CODE = (
    "INSERT INTO access_codes (id, app, digest, short, channels, identifier, created_at,"
    " expires_at) SELECT ?1, number, ?1, 1, '[]', '', 0, ?2 FROM apps WHERE id = ?1"
)


class Clock:
    """Every look finds an hour gone, so everything is always due; the wall stands."""

    def __init__(self, wall: float = NOW) -> None:
        self._wall = wall
        self._looks = 0

    def wall(self) -> float:
        return self._wall

    def monotonic(self) -> float:
        self._looks += 1
        return self._looks * 3600.0


def janitor(database: Database, wall: float = NOW) -> Janitor:
    """A janitor whose step is called by hand; nobody is there whom it could wake."""
    made = Janitor(
        ports(database=database, clock=Clock(wall), ids=UuidIds()),
        Routes({"main": "apns"}, {}),
        Settings(),
    )
    made.registry = Registry()
    return made


async def counts(database: Database, *tables: str) -> dict[str, int]:
    """How many rows each table has."""
    return {name: (await rows(database, f"SELECT count(*) FROM {name}"))[0][0] for name in tables}


async def test_it_sweeps_what_is_old_and_leaves_what_is_not(database: Database) -> None:
    (old,) = await said(database, 31, size=4)
    await said(database, 1, size=4)
    day = int(NOW // DAY)

    async def leavings(tx: Tx) -> None:
        for age in (0.0, 400 * DAY):
            then, days = NOW - age, day - int(age // DAY)
            for sql in (KEY, ACCOUNT, SESSION):
                await seeds.run_sql(tx, sql, str(age), then + 1)
            await seeds.run_sql(tx, "INSERT INTO quotas VALUES ('', ?1, 1)", days)
            await seeds.run_sql(
                tx, "INSERT INTO access_guesses VALUES (?1, ?2)", str(age), then + 1
            )
            await seeds.run_sql(tx, APP, str(age), then)
            await seeds.run_sql(tx, CODE, str(age), then + 1)
            one, moment = f"device-{int(age > 0)}", "CAST(?2 AS DOUBLE PRECISION)"
            for into in (
                f"suspects SELECT number, 1, {moment}",
                f"absences SELECT number, 0, {moment}",
            ):
                sql = f"INSERT INTO {into} FROM devices WHERE id = ?1"
                await seeds.run_sql(tx, sql, one, then)

    await database.write(leavings)
    one = janitor(database)
    for _ in range(5):
        await one.step()
    assert await database.read(notifications.progress, old) is None
    tables = ["idempotency_keys", "sessions", "quotas", "suspects", "absences", "notifications"]
    tables += ["access_codes", "access_guesses"]
    assert await counts(database, *tables) == dict.fromkeys(tables, 1)
    late = janitor(database, NOW + retention.PATIENCE)
    for _ in range(5):
        await late.step()
    assert await counts(database, "deliveries", "purges") == {"deliveries": 4, "purges": 0}


async def many(tx: Tx, age: float, count: int) -> list[str]:
    """Notifications of that age that are done, with a delivery each; their ids."""
    now, ids = NOW - age * DAY, [own(age, number) for number in range(count)]
    sql = (
        "INSERT INTO notifications (id, content, created_at, expires_at, finished_at, state)"
        " VALUES (?1, '{}', ?2, ?2, ?2, 'done')"
    )
    await tx.execute_many(Sql(sql), [(one, now) for one in ids])
    await seeds.run_sql(
        tx,
        "INSERT INTO deliveries (notification, device, outcome, status, reason, provider_id,"
        " attempt, finished_at) SELECT number, 1, 'accepted', 200, '', '', 1, 0 FROM notifications"
        " WHERE state = 'done'",
    )
    return ids


async def test_of_two_nodes_one_does_each_piece(postgresql_url: str) -> None:
    async with (
        open_postgresql(postgresql_url, connections=3) as here,
        open_postgresql(postgresql_url, connections=3) as there,
    ):
        await audience(here, 1_200, "n9")
        await expand_all(here)
        await claim(here, now=NOW)
        old = await here.write(many, 31, 450)
        late = NOW + 60.0  # the leases have run out
        both = [janitor(here, late), janitor(there, late)]

        async def steps(one: Janitor) -> None:
            for _ in range(10):
                await one.step()

        with structlog.testing.capture_logs() as logs:
            async with trio.open_nursery() as nursery:
                for one in both:
                    nursery.start_soon(steps, one)
        freed = sum(line["batches"] for line in logs if line["event"] == "leases_expired")
        swept = [line for line in logs if line["event"] == "swept"]
        gone = sum(line["rows"] for line in swept if line["what"] == "old_notifications")
        purged = sum(line["rows"] for line in swept if line["what"] == "purged_rows")
        shown = await progress(here, "n9")
        assert (freed, shown.maybe_doubled) == (3, 1_200), "each lease was given back once"
        newest = max(old)
        assert [n for n in old if await here.read(notifications.progress, n)] == [newest]
        assert gone >= 449, "and the newest was archived, once"
        assert gone <= 450
        assert purged == 0, "they wait for their partition"
        assert await counts(here, "purges") == {"purges": 449}

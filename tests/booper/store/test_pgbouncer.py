"""Behind pgbouncer in transaction mode: any statement may meet another server connection."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trio
from structlog.testing import capture_logs

from booper.domain.errors import Unavailable
from booper.domain.hint import Hint, Kind
from booper.settings import Delivery, Settings
from booper.store import nodes, opening
from booper.store.migrate import shipped
from booper.store.postgresql import open_postgresql
from booper.store.postgresql_hints import PostgresHints
from booper.workers import listener
from tests.booper import servers
from tests.booper.bouncer import pgbouncer
from tests.booper.journeys.nodes import nodes as running
from tests.booper.journeys.nodes import until
from tests.booper.store.seeds import audience, claim, expand_all, notify, rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.booper.journeys.house import Journey

pytestmark = pytest.mark.real
INSTANCE = "/api/admin/instances/apns"


@pytest.fixture
def bounced(postgresql_url: str) -> Iterator[str]:
    """A fresh, migrated database, behind a pgbouncer with two connections."""
    with pgbouncer(postgresql_url) as url:
        if url is None:
            pytest.skip("NOT RUN: no pgbouncer here")
        yield url


async def test_many_writers_and_readers_share_two_server_connections(bounced: str) -> None:
    async with open_postgresql(bounced, connections=6, prepared=False) as database:
        await database.write(notify, "n0")
        async with trio.open_nursery() as nursery:
            for number in range(1, 20):
                nursery.start_soon(database.write, notify, f"n{number}")
                nursery.start_soon(rows, database, "SELECT count(*) FROM notifications")
        assert await rows(database, "SELECT count(*) FROM notifications") == [(20,)]
        await audience(database, 50, "wide")
        await expand_all(database)
        assert await claim(database)

        for _ in range(3):
            assert await database.write(nodes.alone, 7), "a duty ends with its transaction"
        with trio.move_on_after(0.05):
            await rows(database, "SELECT pg_sleep(3600)::text")
        assert await rows(database, "SELECT 1") == [(1,)]


async def test_it_migrates_through_the_bouncer(postgresql_server: str) -> None:
    with pgbouncer(await servers.empty_database(postgresql_server)) as url:
        if url is None:
            pytest.skip("NOT RUN: no pgbouncer here")
        settings = Settings(database=url)
        done: list[int] = []

        async def one() -> None:
            done.append(await opening.migrated(settings))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(one)
        assert sorted(done) == [0, 0, len(shipped())]
        assert (await opening.standing(settings)).waiting == []


async def _gone(node: Journey) -> bool:
    return await node.standing() is None


async def test_nodes_hear_each_other_past_the_bouncer(
    tmp_path: Path, bounced: str, postgresql_url: str
) -> None:
    async with running(tmp_path, bounced, listen_url=postgresql_url, prepared=False) as (a, b):
        assert (await a.client.post(f"{INSTANCE}/stop?wait=applied")).json()["applied"]
        await until(lambda: _gone(b))
        await a.register(2)
        assert (await b.client.post(f"{INSTANCE}/start?wait=applied")).json()["applied"]
        shown = await b.done(await b.notify())
        assert shown["counts"]["accepted"] == 2


async def test_who_cannot_hear_says_so_and_follows_by_looking(
    tmp_path: Path, bounced: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "DEAF", 0.5)
    with capture_logs() as logs:
        tick = Delivery(tick=0.2)
        async with running(tmp_path, bounced, prepared=False, delivery=tick) as (a, b):
            assert (await a.client.post(f"{INSTANCE}/stop?wait=applied")).json()["applied"]
            await until(lambda: _gone(b))
            await until(lambda: _said(logs, "hints_not_heard"))
    assert not [line for line in logs if line["log_level"] == "critical"]
    assert not await _said(logs, "child_terminated")


async def _said(logs: Sequence[Mapping[str, object]], event: str) -> bool:
    return any(line["event"] == event for line in logs)


async def test_a_listener_behind_the_bouncer_fails_in_no_other_way(bounced: str) -> None:
    async with PostgresHints(bounced).listen() as ear:
        for _ in range(20):
            await ear.tell(Hint(Kind.WORK, "it's me"))
        with trio.move_on_after(0.3):
            with suppress(Unavailable):
                await ear.heard()

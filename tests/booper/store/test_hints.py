"""Hints on PostgreSQL: heard if and only if what they tell of was committed; never believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.domain.errors import Misconfigured, NotFound, Unavailable
from booper.domain.hint import LONGEST, Hint, Kind, parsed
from booper.store import api_keys, apps, devices, sessions
from booper.store import postgresql_hints as hints
from booper.store.postgresql_hints import PostgresHints
from tests.booper.store.seeds import listeners, registration, rows, run_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Database, Tx
    from booper.ports.hints import Ear
    from booper.store.postgresql_driver import PostgresDatabase

pytestmark = pytest.mark.real
LAST = Hint(Kind.CHECK, "last")
PEOPLE = """
INSERT INTO accounts (number, id, email, name, role, password, created_at)
  VALUES (1, 'a', 'a@b', '', 'member', 'x', 0);
INSERT INTO apps (number, id, account, name, plan, created_at)
  VALUES (1, 'app', 1, 'app', 'free', 0);
INSERT INTO api_keys (id, app, name, hash, label, scopes, created_at)
  SELECT 'k' || n, 1, 'key-' || n, 'h', '', '[]', 0 FROM generate_series(1, 3) n;
INSERT INTO sessions (id, account, client, created_at, used_at, expires_at)
  SELECT 's' || n, 1, '', 0, 0, 1e12 FROM generate_series(1, 3) n
"""


async def say(tx: Tx, name: str) -> None:
    await tx.tell(Hint(Kind.INSTANCE, name))


async def say_and_fail(tx: Tx, name: str) -> None:
    await say(tx, name)
    raise NotFound(name)


async def until_last(ear: Ear) -> Sequence[Hint]:
    """All that was told before our own last word; the server keeps the order of commits."""
    await ear.tell(LAST)
    found: list[Hint] = []
    with trio.fail_after(20):
        while LAST not in found:
            found += await ear.heard()
    return found[:-1]


@pytest.mark.parametrize("hint", [Hint(Kind.ALL), Hint(Kind.INSTANCE, "a/b c"), LAST])
def test_a_hint_is_read_as_it_was_written(hint: Hint) -> None:
    assert parsed(hint.text) == hint


@pytest.mark.parametrize("text", ["", "news", "INSTANCE a", "call er", "caller " + "x" * LONGEST])
def test_what_no_booper_says_is_not_understood(text: str) -> None:
    assert parsed(text) is None


async def test_on_every_database_telling_is_part_of_a_write(database: Database) -> None:
    await database.write(say, "a")


async def test_what_was_committed_is_heard_and_what_was_undone_is_not(
    postgresql: PostgresDatabase, postgresql_url: str
) -> None:
    async with PostgresHints(postgresql_url).listen() as ear:
        await postgresql.write(say, "alone")
        async with trio.open_nursery() as nursery:  # one group: the failed work is undone alone
            for name in ("a", "b"):
                nursery.start_soon(postgresql.write, say, name)
            with pytest.raises(NotFound):
                await postgresql.write(say_and_fail, "undone")
        told = await until_last(ear)
        assert sorted(told) == [Hint(Kind.INSTANCE, name) for name in ("a", "alone", "b")]


async def test_junk_on_the_channel_is_passed_over(
    postgresql: PostgresDatabase, postgresql_url: str
) -> None:
    async def junk(tx: Tx) -> None:
        for text in ("", "x" * 7999, "caller", "no such", "\u0007"):
            await run_sql(tx, "SELECT pg_notify('booper', ?)", text)

    async with PostgresHints(postgresql_url).listen() as ear:
        await postgresql.write(junk)
        assert await until_last(ear) == [Hint(Kind.CALLER)]


async def test_too_many_become_one_that_says_look_at_everything(
    postgresql: PostgresDatabase, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "ROOM", 50)

    async def flood(tx: Tx) -> None:
        for number in range(120):
            await say(tx, str(number))

    async with PostgresHints(postgresql_url).listen() as ear:
        await postgresql.write(flood)
        told = await until_last(ear)
        assert Hint(Kind.ALL) in told
        assert len(told) <= 60


async def test_a_lost_connection_is_an_outage_for_whoever_hears(
    postgresql: PostgresDatabase, postgresql_url: str
) -> None:
    end = f"SELECT pg_terminate_backend(pid)::int FROM pg_stat_activity WHERE {_OURS}"
    async with PostgresHints(postgresql_url).listen() as ear:
        assert await rows(postgresql, end) == [(1,)]
        with trio.fail_after(20), pytest.raises(Unavailable):
            await ear.heard()
        with pytest.raises(Unavailable):
            await ear.tell(LAST)
    left = f"SELECT count(*) FROM pg_stat_activity WHERE {_OURS}"
    assert await rows(postgresql, left) == [(0,)]


_OURS = f"application_name = '{hints.NAME}' AND datname = current_database()"


async def test_a_server_that_is_not_there_is_an_outage_and_no_url_a_misconfiguration() -> None:
    with pytest.raises(Unavailable):
        async with PostgresHints("postgresql://postgres@127.0.0.1:1/none").listen():
            pass
    for url in ("mysql://here/x", "postgresql://[broken/none", "postgresql://a:b@h:notaport/x"):
        with pytest.raises(Misconfigured) as caught:
            PostgresHints(url)
        assert caught.value.code == "database_url"


async def test_whoever_ends_a_credential_tells_its_name(
    postgresql: PostgresDatabase, postgresql_url: str
) -> None:
    async def work(tx: Tx) -> None:
        for sql in PEOPLE.split(";"):
            await run_sql(tx, sql)
        (number,) = await listeners(tx, [registration(1)])
        await run_sql(tx, "UPDATE devices SET secret_name = 'phone' WHERE number = ?", number)
        await api_keys.revoke(tx, 1, "k1", 1.0)
        await api_keys.revoke(tx, 1, "nobody's", 1.0)
        await sessions.end(tx, 1, "s1", "logout", 1.0)
        await sessions.end(tx, 2, "s2", "logout", 1.0)
        await devices.delete(tx, number, "deleted", 1.0)

    async def rest(tx: Tx) -> None:
        await apps.delete(tx, 1, 1.0)
        await api_keys.revoke_all(tx, 1, 1.0)
        await sessions.end_others(tx, 1, "s3", "password_changed", 1.0)

    async with PostgresHints(postgresql_url).listen() as ear:
        await postgresql.write(work)
        assert [one.name for one in await until_last(ear)] == ["key-1", "s1", "phone"]
        await postgresql.write(rest)
        assert sorted(one.name for one in await until_last(ear)) == ["key-2", "key-3", "s2"]

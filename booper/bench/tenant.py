"""An app with a key and a channel nobody listens to, written straight into a database."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

from booper.clock import SystemClock, UuidIds
from booper.domain import credential
from booper.domain.caller import Role, Scope
from booper.domain.secret import Secret
from booper.ports import Sql, Tx
from booper.settings import Settings
from booper.store import accounts, api_keys, apps, channels
from booper.store.opening import open_database
from booper.store.postgresql import open_postgresql
from booper.store.sqlite_driver import SqliteDatabase
from booper.store.sqlite_log import WriteAheadLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from booper.ports import Database

CHANNEL = "bench"
PLAN = "business"
_WAITING = Sql("SELECT count(*) FROM fanouts")
_STORED = Sql("SELECT count(*) FROM notifications")


async def prepare(database: str) -> str:
    """The API key of a new app in that database, which is made or migrated as needed."""
    ids, now = UuidIds(), SystemClock().wall()
    key = credential.minted(credential.API_KEY, ids.secret(credential.ENTROPY))

    async def work(tx: Tx) -> None:
        nobody = Secret("no password")
        who = ("bench@example.com", "bench", Role.MEMBER, nobody)
        account = await accounts.create(tx, ids.mint(), *who, now)
        if account is None:
            raise SystemExit("This database has seen the benchmark before: give an empty one.")
        app = await apps.create(tx, ids.mint(), account.number, "bench", PLAN, now)
        await api_keys.create(tx, ids.mint(), app.number, key, "", Scope, now)
        await channels.ensure(tx, ids.mint(), CHANNEL, now, (app.number, app.id))

    async with open_database(Settings(database=database)) as opened:
        await opened.write(work)
    return key.spelled().reveal()


@asynccontextmanager
async def reading(database: str) -> AsyncIterator[Database]:
    """A database that somebody else serves, to be read."""
    settings = Settings(database=database)
    if settings.on_postgresql:
        async with open_postgresql(database, connections=2) as opened:
            yield opened
        return
    place = f"file:{settings.sqlite_path}?mode=ro"
    with closing(sqlite3.connect(place, uri=True, isolation_level=None)) as connection:
        yield SqliteDatabase(connection, connection, WriteAheadLog(connection), slow=False)


async def stored(tx: Tx) -> int:
    """How many notifications there are."""
    ((count,),) = await tx.fetch(_STORED)
    return int(count)


async def waiting(tx: Tx) -> int:
    """How many of them wait for their fan-out."""
    ((count,),) = await tx.fetch(_WAITING)
    return int(count)

"""Opening the database that the settings name, whichever it is."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from booper.store.migrate import shipped as shipped_for
from booper.store.migrate import waiting
from booper.store.postgresql import look_postgresql, open_postgresql
from booper.store.postgresql_hints import PostgresHints
from booper.store.sqlite import look_sqlite, open_sqlite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from booper.ports import Database
    from booper.ports.hints import Hints
    from booper.settings import Settings

WAIT = 10.0  # seconds


class Standing(NamedTuple):
    """How many migrations a database has had, and the names of those it waits for."""

    applied: int
    waiting: list[str]


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database of `settings.database`, migrated; Misconfigured where that cannot be."""
    if settings.on_postgresql:
        async with open_postgresql(
            settings.database,
            connections=settings.postgresql.connections,
            prepared=settings.postgresql.prepared_statements,
        ) as many:
            yield many
    else:
        async with open_sqlite(settings.sqlite_path) as one:
            yield one


async def migrated(settings: Settings) -> int:
    """Bring the database up to date; how many migrations that took. One process does it, others
    wait for it. Misconfigured as above, and where SQLite's file stays in use for WAIT seconds."""
    if settings.on_postgresql:
        async with open_postgresql(settings.database, connections=1, prepared=False) as many:
            return many.migrated
    async with open_sqlite(settings.sqlite_path, wait=WAIT) as one:
        return one.migrated


async def standing(settings: Settings) -> Standing:
    """Where the database stands; changes nothing. Misconfigured where it cannot be read, and for
    one that this Booper cannot use."""
    if settings.on_postgresql:
        applied, shipped = await look_postgresql(settings.database), shipped_for("postgresql")
    else:
        applied, shipped = look_sqlite(settings.sqlite_path), shipped_for("sqlite")
    return Standing(len(applied), [one.name for one in waiting(applied, shipped)])


def hints_of(settings: Settings) -> Hints | None:
    """Where the nodes of that database hear each other; None where there can be only one.

    Raises Misconfigured for a `listen_url` that is none.
    """
    if not settings.on_postgresql:
        return None
    return PostgresHints(settings.postgresql.listen_url or settings.database)

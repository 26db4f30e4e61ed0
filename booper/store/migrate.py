"""Forward-only, numbered migrations: each applied once, in order, and never edited afterwards."""

from __future__ import annotations

import hashlib
import sqlite3
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from booper.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg


LOCK = 0x626F6F706572  # "booper": whoever migrates a PostgreSQL database holds it
PATIENCE = 600  # seconds to wait for somebody else who migrates
LONGEST = 86_400.0  # seconds that one migration may take: a large table may need hours
_JOURNAL = (
    "CREATE TABLE IF NOT EXISTS migrations ("
    " number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,"
    " applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)"
)
APPLIED = "SELECT number, checksum FROM migrations ORDER BY 1"


class Migration(NamedTuple):
    """One file `NNNN_name.sql`."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def shipped(dialect: str = "sqlite") -> list[Migration]:
    """The migrations of this Booper, in order; their numbers have no gap."""
    folder = resources.files("booper.store") / "migrations" / dialect
    found = sorted(
        Migration(int(file.name[:4]), file.name.removesuffix(".sql"), file.read_text("utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    )
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise Misconfigured("The migrations are not numbered 1, 2, 3 …", code="migrations")
    return found


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration] | None = None) -> int:
    """Bring the database up to date; how many migrations were applied now.

    Each runs in a transaction of its own with its line in the journal, so an interruption leaves
    the last whole one. Raises Misconfigured for a database newer than this Booper and for a
    migration that was edited after it had been applied.
    """
    wanted = shipped() if migrations is None else migrations
    connection.execute(_JOURNAL + " STRICT")
    applied = connection.execute(APPLIED).fetchall()
    new = waiting(applied, wanted)
    for migration in new:
        _apply(connection, migration)
    return len(new)


async def migrate_postgresql(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record],
    migrations: Sequence[Migration] | None = None,
) -> int:
    """The same for PostgreSQL, all or nothing, one process at a time. Runs in asyncio."""
    wanted = shipped("postgresql") if migrations is None else migrations
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{PATIENCE}s'")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK, timeout=PATIENCE * 2)
        await connection.execute("SET LOCAL lock_timeout = 0")
        await connection.execute(_JOURNAL)
        new = waiting([tuple(row) for row in await connection.fetch(APPLIED)], wanted)
        for migration in new:
            await connection.execute(migration.sql, timeout=LONGEST)
            await connection.execute(
                "INSERT INTO migrations (number, name, checksum) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.checksum,
            )
    return len(new)


def waiting(applied: Sequence[tuple[int, str]], wanted: Sequence[Migration]) -> Sequence[Migration]:
    """Those not applied yet.

    Raises Misconfigured for a database newer than this Booper (`database_newer`) and for a
    migration that was edited after it had been applied (`migration_changed`).
    """
    if len(applied) > len(wanted):
        raise Misconfigured(
            f"The database is at migration {len(applied)}, this Booper knows {len(wanted)}:"
            " it needs the newer program.",
            code="database_newer",
        )
    for (number, checksum), migration in zip(applied, wanted, strict=False):
        if checksum != migration.checksum:
            raise Misconfigured(
                f"Migration {number} was changed after it had been applied.",
                code="migration_changed",
            )
    return wanted[len(applied) :]


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _statements(migration.sql):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO migrations (number, name, checksum) VALUES (?, ?, ?)",
            (migration.number, migration.name, migration.checksum),
        )
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _statements(script: str) -> list[str]:
    """The script's statements one by one: `executescript` would commit before it begins."""
    found, part = [], ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            found.append(part)
            part = ""
    if any(line.strip() and not line.strip().startswith("--") for line in part.splitlines()):
        raise Misconfigured("A migration ends in the middle of a statement.", code="migrations")
    return found

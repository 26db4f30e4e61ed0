"""Forward-only, numbered migrations: each applied once, in order, and never edited afterwards."""

from __future__ import annotations

import hashlib
import sqlite3
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from booper.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence


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
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations ("
        " number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,"
        " applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP) STRICT"
    )
    applied = connection.execute("SELECT number, checksum FROM migrations ORDER BY 1").fetchall()
    if len(applied) > len(wanted):
        raise Misconfigured(
            f"The database is at migration {len(applied)}, this Booper knows {len(wanted)}.",
            code="database_newer",
        )
    for (number, checksum), migration in zip(applied, wanted, strict=False):
        if checksum != migration.checksum:
            raise Misconfigured(
                f"Migration {number} was changed after it had been applied.",
                code="migration_changed",
            )
    for migration in wanted[len(applied) :]:
        _apply(connection, migration)
    return len(wanted) - len(applied)


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

"""Migrations: each applied once, whole or not at all, and never edited afterwards."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from booper.domain.errors import Misconfigured
from booper.store.migrate import Migration, migrate, shipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE = Migration(1, "0001_one", "CREATE TABLE a (x INTEGER) STRICT;\nINSERT INTO a VALUES (1);\n")
TWO = Migration(2, "0002_two", "CREATE TABLE b (x INTEGER) STRICT;\n-- a remark; with a stop\n")
BROKEN = Migration(2, "0002_two", "CREATE TABLE b (x INTEGER);\nCREATE TABLE a (x INTEGER);\n")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(tmp_path / "m.sqlite3", isolation_level=None)
    yield opened
    opened.close()


def tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}


def journal(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    return connection.execute("SELECT number, checksum FROM migrations ORDER BY 1").fetchall()


def test_an_empty_file_becomes_a_database_and_a_second_time_changes_nothing(
    connection: sqlite3.Connection,
) -> None:
    assert migrate(connection) == len(shipped())
    assert {"devices", "notifications", "batches", "deliveries"} <= tables(connection)
    before = connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()
    assert migrate(connection) == 0
    assert connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall() == before
    assert journal(connection) == [(m.number, m.checksum) for m in shipped()]


def test_only_what_is_new_is_applied(connection: sqlite3.Connection) -> None:
    assert migrate(connection, [ONE]) == 1
    assert migrate(connection, [ONE, TWO]) == 1
    assert connection.execute("SELECT x FROM a").fetchall() == [(1,)]
    assert tables(connection) >= {"a", "b"}


def test_a_newer_database_is_refused_and_left_alone(connection: sqlite3.Connection) -> None:
    migrate(connection, [ONE, TWO])
    with pytest.raises(Misconfigured) as caught:
        migrate(connection, [ONE])
    assert caught.value.code == "database_newer"
    assert len(journal(connection)) == 2


def test_an_edited_migration_is_refused(connection: sqlite3.Connection) -> None:
    migrate(connection, [ONE])
    edited = ONE._replace(sql=ONE.sql + "-- only a remark\n")
    with pytest.raises(Misconfigured) as caught:
        migrate(connection, [edited, TWO])
    assert caught.value.code == "migration_changed"
    assert "b" not in tables(connection)


def test_a_failure_in_the_middle_leaves_the_last_whole_one(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, [ONE, BROKEN])
    assert not connection.in_transaction
    assert "b" not in tables(connection), "half a migration stayed"
    assert [number for number, _ in journal(connection)] == [1]
    assert migrate(connection, [ONE, TWO]) == 1


def test_a_migration_cut_off_in_a_statement_is_refused(connection: sqlite3.Connection) -> None:
    cut = Migration(1, "0001_cut", "CREATE TABLE a (x INTEGER);\nCREATE TABLE b (")
    with pytest.raises(Misconfigured):
        migrate(connection, [cut])
    assert "a" not in tables(connection)


def test_the_shipped_ones_are_numbered_without_a_gap() -> None:
    assert [m.number for m in shipped()] == list(range(1, len(shipped()) + 1))


def test_both_databases_have_the_same_migrations() -> None:
    """A new `sqlite/NNNN_name.sql` needs its twin in `postgresql/`, and the other way round."""
    twins = [[(m.number, m.name) for m in shipped(d)] for d in ("sqlite", "postgresql")]
    assert twins[0] == twins[1]

"""Opening the SQLite file: one process at a time, migrated, and durable or not at all."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from contextlib import ExitStack, asynccontextmanager, closing
from typing import IO, TYPE_CHECKING

import trio

from booper.domain.errors import Misconfigured
from booper.store.migrate import APPLIED, migrate
from booper.store.sqlite_driver import PATIENCE, PAUSE, SqliteDatabase
from booper.store.sqlite_log import WriteAheadLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SLOW_FLUSH = 0.002  # seconds; beyond it a commit in line would stall every other task too long
_ASKED: dict[str, tuple[object]] = {"journal_mode": ("wal",), "synchronous": (2,)}


def _connect(path: Path) -> sqlite3.Connection:
    """A connection whose commits survive a power cut; Misconfigured where that cannot be."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        for pragma in (
            "busy_timeout=5000",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-16000",
            "wal_autocheckpoint=0",  # see sqlite_log.py
        ):
            connection.execute(f"PRAGMA {pragma}")
        asked = [connection.execute(f"PRAGMA {p}").fetchone() for p in _ASKED]
        if asked != list(_ASKED.values()):
            raise Misconfigured(
                f"{path}: SQLite cannot keep a write-ahead log there.", code="database_not_durable"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _flush_seconds(path: Path) -> float:
    """How long this disk takes to make a page durable: the median of five."""
    probe = path.with_name(path.name + ".probe")
    times = []
    with probe.open("wb") as file:
        for _ in range(5):
            file.write(b"\0" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begun)
    probe.unlink()
    return sorted(times)[2]


async def _alone(lock: IO[bytes], wait: float) -> None:
    """Take the lock; BlockingIOError if another process still has it after `wait` seconds."""
    give_up = trio.current_time() + wait
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if trio.current_time() >= give_up:
                raise
        await trio.sleep(PAUSE)


def look_sqlite(path: Path) -> list[tuple[int, str]]:
    """The migrations that a file has had (number, checksum); none for one that is not there.

    Changes nothing, also while another process holds it. Raises Misconfigured for no database.
    """
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as opened:
            there = "SELECT 1 FROM sqlite_schema WHERE name = 'migrations'"
            return opened.execute(APPLIED).fetchall() if opened.execute(there).fetchall() else []
    except sqlite3.DatabaseError as error:
        raise Misconfigured(
            f"{path} cannot be read as a database: {error}.", code="database_file"
        ) from error


@asynccontextmanager
async def open_sqlite(
    path: Path, *, slow: bool | None = None, patience: float = PATIENCE, wait: float = 0.0
) -> AsyncIterator[SqliteDatabase]:
    """The database in `path`, made or migrated as needed; one process at a time may hold it.

    `slow`: commit in a thread; None measures the disk. `patience`: seconds that a write waits for
    another program's lock; `wait`: that this waits for another process to let go of the file.
    Raises Misconfigured when the folder is missing or not writable, the file is not a Booper
    database, is newer than this Booper, or is held by another process. Leaving the block commits
    what waits first.
    """
    with ExitStack() as opened:
        try:
            lock = opened.enter_context(path.with_name(path.name + ".lock").open("wb"))
            await _alone(lock, wait)
            slow = _flush_seconds(path) > SLOW_FLUSH if slow is None else slow
        except BlockingIOError:
            raise Misconfigured(
                f"Another Booper uses {path}. SQLite serves one process; PostgreSQL many.",
                code="database_in_use",
            ) from None
        except OSError as error:
            raise Misconfigured(
                f"The database {path} cannot be opened: {error.strerror}.", code="database_path"
            ) from error
        try:
            writer = opened.enter_context(closing(_connect(path)))
            reader = opened.enter_context(closing(_connect(path)))
            log = WriteAheadLog(opened.enter_context(closing(_connect(path))))
            migrated = migrate(writer)
        except sqlite3.DatabaseError as error:
            raise Misconfigured(
                f"{path} cannot be used as a database: {error}.", code="database_file"
            ) from error
        writer.execute("PRAGMA busy_timeout=0")  # `_begin` waits for it, and lets others work
        database = SqliteDatabase(writer, reader, log, slow=slow, patience=patience)
        database.migrated = migrated
        async with trio.open_nursery() as nursery:
            nursery.start_soon(database.run)
            try:
                yield database
            finally:
                database.close()

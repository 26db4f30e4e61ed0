"""SQLite's write-ahead log, moved into the database file by a thread beside the commits.

By default a commit does that itself whenever the log has a thousand pages: tens of milliseconds in
which nothing else runs. Source: sqlite.org, "Write-Ahead Logging", section 3, "Checkpointing".
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from typing import NoReturn

PAUSE = 0.2  # seconds between a commit and the checkpoint that follows it
BUSY = 1_000  # pages; if a checkpoint finds more, the next one follows at once
LONG = 8_000  # pages from which on the log is begun anew, which takes a moment without commits


class WriteAheadLog:
    """The log of one file; `connection` is its own, and no longer checkpoints by itself."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._turn = trio.Lock()
        self._written = trio.Event()
        self._pages = self._moved = 0

    @property
    def long(self) -> bool:
        """Whether it should `begin_anew`."""
        return self._pages >= LONG

    def written(self) -> None:
        """Something was committed."""
        self._written.set()

    async def begin_anew(self) -> None:
        """Move all of it, so that the next commit writes to its beginning; to be called by whoever
        commits, between two commits. If a reader in another program is in the way, it stays."""
        await self._move()
        self._pages = 0  # if it stays long, the next look tells

    async def run(self) -> NoReturn:
        """Move what is written, until cancelled."""
        while True:
            await self._written.wait()
            await trio.sleep(0 if self._moved > BUSY else PAUSE)
            self._written = trio.Event()
            await self._move()

    async def _move(self) -> None:
        """What hinders it (a full disk, a backup) is left to the next time."""
        async with self._turn:
            with suppress(sqlite3.OperationalError):
                pages = await trio.to_thread.run_sync(self._checkpoint)
                self._moved, self._pages = pages - min(self._pages, pages), pages

    def _checkpoint(self) -> int:
        """How many pages the log had."""
        ((_, pages, _),) = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return int(pages)

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
        """Whether it should be begun anew: by `move`, called by whoever commits."""
        return self._pages >= LONG

    def written(self) -> None:
        """Something was committed."""
        self._written.set()

    async def move(self) -> None:
        """Move what is there into the file. If nobody commits meanwhile the log begins anew with
        the next one. What hinders it (a full disk, a backup) is left to the next time."""
        async with self._turn:
            with suppress(sqlite3.OperationalError):
                pages = await trio.to_thread.run_sync(self._checkpoint)
                self._moved, self._pages = pages - min(self._pages, pages), pages

    async def run(self) -> NoReturn:
        """Move it whenever something was written, until cancelled."""
        while True:
            await self._written.wait()
            await trio.sleep(0 if self._moved > BUSY else PAUSE)
            self._written = trio.Event()
            await self.move()

    def _checkpoint(self) -> int:
        """How many pages the log has."""
        ((_, pages, moved),) = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return 0 if pages == moved else int(pages)

"""Power loss: whatever moment an image of the files is from, it opens whole, with all that was
acknowledged before.

On a fast disk commits run in line, so nobody can look in the middle of one: the image is made of
the files before a commit and a part of what that commit then wrote to the log, as a torn write
leaves them. On a slow one they run in a thread, and the files are copied while it writes.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest
import trio

from booper.store.sqlite import open_sqlite
from tests.booper.store.seeds import notify

if TYPE_CHECKING:
    from pathlib import Path

    from booper.store.sqlite_driver import SqliteDatabase

pytestmark = pytest.mark.real
WRITERS, IMAGES = 8, 40


class Image:
    """The database and its log as a disk might hold them."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.copy = folder / file.name
        self._log = file.with_name(file.name + "-wal")
        folder.mkdir()
        shutil.copy(file, self.copy)
        self._old = self._log.read_bytes()
        self._put(self._old)

    def tear(self, dice: random.Random) -> None:
        """Let a random part of what was written to the log since then have reached the disk."""
        new = self._log.read_bytes()
        first = next(
            i for i in range(0, len(new), 512) if self._old[i : i + 512] != new[i : i + 512]
        )
        cut = dice.randrange(first, len(new))
        self._put(new[:cut] + self._old[cut:])

    def _put(self, log: bytes) -> None:
        self.copy.with_name(self.copy.name + "-wal").write_bytes(log)


def look_into(copy: Path) -> set[str]:
    """The notifications in it; fails if it is not whole or one of them has no fan-out row."""
    connection = sqlite3.connect(copy)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        ids = {row[0] for row in connection.execute("SELECT id FROM notifications")}
        (fanouts,) = connection.execute("SELECT count(*) FROM fanouts").fetchone()
        assert fanouts == len(ids), "a notification without its fan-out row, or the reverse"
    finally:
        connection.close()
    return ids


@pytest.mark.parametrize("slow", [False, True], ids=["fast disk", "slow disk"])
async def test_what_was_acknowledged_is_in_every_image(tmp_path: Path, slow: bool) -> None:
    file, dice = tmp_path / "b.sqlite3", random.Random(20_261_121)
    acknowledged: set[str] = set()
    images: list[tuple[Image, set[str]]] = []
    torn = 0

    async def write(database: SqliteDatabase, writer: int) -> None:
        number = 0
        while len(images) < IMAGES:
            own = f"{writer}-{number}"
            await database.write(notify, own)
            acknowledged.add(own)
            number += 1

    async with open_sqlite(file, slow=slow) as database:
        database._writer.execute("PRAGMA wal_autocheckpoint=50")  # moves rows to the file often
        async with trio.open_nursery() as nursery:
            for writer in range(WRITERS):
                nursery.start_soon(write, database, writer)
            for number in range(IMAGES):
                for _ in range(dice.randrange(1, 30)):
                    await trio.lowlevel.checkpoint()
                before, commits = set(acknowledged), database.commits
                made = Image(file, tmp_path / f"image{number}")
                await database.write(notify, f"torn-{number}")
                if database.commits == commits + 1 and not slow:
                    made.tear(dice)
                    torn += 1
                images.append((made, before))
    assert images[-1][1], "no image held anything: the test shows nothing"
    assert slow or torn > IMAGES / 4
    for made, before in images:
        missing = before - look_into(made.copy)
        assert not missing, f"{made.copy}: acknowledged and lost: {sorted(missing)[:5]}"


async def test_the_log_holds_a_write_before_it_is_acknowledged(tmp_path: Path) -> None:
    """Seen from outside; that it is flushed as well is what `synchronous` says."""
    file = tmp_path / "b.sqlite3"
    log = tmp_path / "b.sqlite3-wal"
    async with open_sqlite(file, slow=False) as database:
        for number in range(5):
            before = log.read_bytes()
            await database.write(notify, f"n{number}")
            assert log.read_bytes() != before

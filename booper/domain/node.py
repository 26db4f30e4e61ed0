"""Node: one process of Booper among those that share a database."""

from __future__ import annotations

import msgspec

BEAT = 2.0  # seconds between two signs of life
SILENT = 10.0  # seconds without one after which a node counts as dead
FORGOTTEN = 86_400.0  # seconds after which nobody remembers it


class Node(msgspec.Struct, frozen=True):
    """A node as it last showed itself; times are the database's, in Unix seconds.

    `process` is how its machine knows it (see `ports/processes.py`); `late`: the seconds by which
    its last sign of life came later than it meant to.
    """

    id: str
    started_at: float
    seen_at: float
    version: str
    host: str
    address: str
    process: str
    late: float

    @property
    def pid(self) -> int | None:
        """The number of its process on its machine, where that is known."""
        number = self.process.split("/")[-2:][0]
        return int(number) if number.isdecimal() else None

    def silent(self, now: float) -> bool:
        """Whether it has not been heard of for too long."""
        return now - self.seen_at > SILENT

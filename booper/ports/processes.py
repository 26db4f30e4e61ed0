"""The port of this machine's processes: who we are here, and who is certainly gone."""

from __future__ import annotations

from typing import Protocol


class Processes(Protocol):
    """Knows processes by marks that no other process, now or later, anywhere, shares."""

    @property
    def host(self) -> str:
        """What this machine calls itself."""
        ...

    @property
    def mark(self) -> str:
        """This process's own mark; "" where there is none to be had."""
        ...

    def gone(self, mark: str) -> bool:
        """Whether that process has certainly ended; False for one that cannot be seen from here."""
        ...

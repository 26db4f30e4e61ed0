"""Known: who was recognised a moment ago, so that not every request asks the store.

A revocation through this process drops its entry at once; one through another process when its
hint arrives, and without hints when the entry is older than TTL: well within the second that is
promised.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from booper.domain.caller import Caller
    from booper.ports import Clock

TTL = 0.5  # seconds
ROOM = 10_000  # entries; the oldest goes


class _Entry(NamedTuple):
    proof: str
    caller: Caller
    until: float


class Known:
    """Callers by the name of their credential; only good ones are kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._dropped = 0

    @property
    def mark(self) -> int:
        """Take it before asking the store, and hand it to `keep`."""
        return self._dropped

    def get(self, name: str, proof: str) -> Caller | None:
        """Who that was, if the proof is the same and it is no longer ago than TTL."""
        found = self._entries.get(name)
        if found is None or found.until <= self._clock.monotonic():
            return None
        return found.caller if hmac.compare_digest(found.proof, proof) else None

    def keep(self, name: str, proof: str, caller: Caller, mark: int) -> None:
        """Remember one, unless anything was dropped since `mark`: that look may be outdated."""
        if mark != self._dropped:
            return
        self._entries.pop(name, None)
        while len(self._entries) >= ROOM:
            del self._entries[next(iter(self._entries))]
        self._entries[name] = _Entry(proof, caller, self._clock.monotonic() + TTL)

    def forget(self, name: str | None) -> None:
        """Forget this one, or with None everybody: what the listener calls."""
        if name is None:
            self._entries.clear()
        self.drop(*([] if name is None else [name]))

    def drop(self, *names: str) -> None:
        """Forget these now."""
        self._dropped += 1
        for name in names:
            self._entries.pop(name, None)

"""What a simulator accepted, in order: the other half of every "nothing lost, nothing doubled".

Writing an entry is one append; counting is done when somebody asks, and only for what is new.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Entry(NamedTuple):
    """One accepted push. `time` is the wall clock's; `push_id` is opaque (for APNs the apns-id)."""

    instance: str
    device: str
    push_id: str
    time: float


class Summary(msgspec.Struct, frozen=True):
    """The ledger in numbers: `duplicates` = Σ(count − 1) over (device, push_id)."""

    accepted: int
    distinct: int
    duplicates: int
    first: float | None
    last: float | None
    refused: dict[str, int]


class Ledger:
    """An append-only list of accepted pushes, and a count of refusals by reason."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._counted = 0
        self.refused: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def accept(self, instance: str, device: str, push_id: str, time: float) -> None:
        """Write down one accepted push."""
        self._entries.append(Entry(instance, device, push_id, time))

    def refuse(self, reason: str) -> None:
        """Count one refusal."""
        self.refused[reason] += 1

    def page(self, after: int = 0, limit: int = 1000) -> list[Entry]:
        """At most `limit` entries, beginning behind the first `after`; entries never move."""
        return self._entries[after : after + limit]

    def counts(self) -> Counter[tuple[str, str]]:
        """How often each (device, push_id) was accepted. Not to be changed by the caller."""
        if self._counted < len(self._entries):
            new = self._entries[self._counted :]
            self._counts.update((entry.device, entry.push_id) for entry in new)
            self._counted += len(new)
        return self._counts

    def doubled(self) -> dict[tuple[str, str], int]:
        """The (device, push_id) accepted more than once, with their counts."""
        return {key: count for key, count in self.counts().items() if count > 1}

    def by_device(self) -> Counter[str]:
        """How many pushes each device got."""
        return Counter(entry.device for entry in self._entries)

    def by_instance(self) -> Counter[str]:
        """How many pushes each sender (for APNs "team/key/topic") got through."""
        return Counter(entry.instance for entry in self._entries)

    def summary(self) -> Summary:
        """The numbers of this moment."""
        accepted, distinct = len(self._entries), len(self.counts())
        return Summary(
            accepted=accepted,
            distinct=distinct,
            duplicates=accepted - distinct,
            first=self._entries[0].time if accepted else None,
            last=self._entries[-1].time if accepted else None,
            refused=dict(self.refused),
        )

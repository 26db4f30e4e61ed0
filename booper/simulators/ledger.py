"""What a simulator accepted, in order: the other half of every "nothing lost, nothing doubled".

Writing is one append, of an entry or of a whole run of them; unfolding runs and counting are done
when somebody asks, and only for what is new.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Entry(NamedTuple):
    """One accepted push. `time` is the wall clock's; `push_id` is opaque (for APNs the apns-id)."""

    instance: str
    device: str
    push_id: str
    time: float


class _Run(NamedTuple):
    """Many entries of one moment, folded: 110 bytes each instead of 350."""

    instance: str
    devices: bytes
    push_ids: bytes
    time: float

    def unfold(self) -> Iterator[Entry]:
        pairs = zip(
            self.devices.decode().split("\n"), self.push_ids.decode().split("\n"), strict=True
        )
        return (Entry(self.instance, device, push_id, self.time) for device, push_id in pairs)


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
        self._unfolded: list[Entry] = []
        self._written: list[Entry | _Run] = []  # what came since somebody looked
        self._accepted = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._counted = 0
        self.refused: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._accepted

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    @property
    def _entries(self) -> list[Entry]:
        for item in self._written:
            if isinstance(item, Entry):
                self._unfolded.append(item)
            else:
                self._unfolded.extend(item.unfold())
        self._written.clear()
        return self._unfolded

    def accept(self, instance: str, device: str, push_id: str, time: float) -> None:
        """Write down one accepted push."""
        self._written.append(Entry(instance, device, push_id, time))
        self._accepted += 1

    def accept_many(
        self, instance: str, devices: Sequence[bytes], push_ids: Sequence[bytes], time: float
    ) -> None:
        """Write down pushes accepted together, in order: UTF-8, no line breaks, one id a device."""
        if len(devices) != len(push_ids):
            raise ValueError(f"{len(devices)} devices, {len(push_ids)} ids")
        if devices:
            self._written.append(_Run(instance, b"\n".join(devices), b"\n".join(push_ids), time))
            self._accepted += len(devices)

    def refuse(self, reason: str) -> None:
        """Count one refusal."""
        self.refused[reason] += 1

    def page(self, after: int = 0, limit: int = 1000) -> list[Entry]:
        """At most `limit` entries, beginning behind the first `after`; entries never move."""
        return self._entries[after : after + limit]

    def of_device(self, device: str, after: int = 0, limit: int = 1000) -> list[Entry]:
        """The same, of one device alone; `after` counts only its entries."""
        own = (entry for entry in self._entries if entry.device == device)
        return list(islice(own, after, after + limit))

    def counts(self) -> Counter[tuple[str, str]]:
        """How often each (device, push_id) was accepted. Not to be changed by the caller."""
        if self._counted < self._accepted:
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
        accepted, distinct = self._accepted, len(self.counts())
        return Summary(
            accepted=accepted,
            distinct=distinct,
            duplicates=accepted - distinct,
            first=self._entries[0].time if accepted else None,
            last=self._entries[-1].time if accepted else None,
            refused=dict(self.refused),
        )

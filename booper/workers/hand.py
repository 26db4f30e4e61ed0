"""Hand: what one incarnation of an instance has been given, as the dispatcher keeps count of it."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

from booper.domain import fairness
from booper.store.outbox import Held

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from actors import Monitor
    from booper.domain.delivery import Batch

Given = tuple[Held, float, int]
"""A batch and its lease, since when (Unix seconds), its line."""


class Hand:
    """`held`: what the instance was handed, and `coming`: what is leased for it and on its way, by
    batch; `asked`: for how many more the store is asked just now. It wants no more before
    `rests_until` (monotonic); after a rest it is handed one at a time until it wants no more."""

    def __init__(self, coming: dict[int, Given] | None = None) -> None:
        self.monitor: Monitor | None = None
        self.held: dict[int, Given] = {}
        self.coming: dict[int, Given] = coming or {}
        self.asked = 0
        self.last_line = 0
        self.rests_until = -math.inf

    @property
    def all(self) -> Iterable[Given]:
        """What it holds, and what is coming."""
        return chain(self.held.values(), self.coming.values())

    @property
    def size(self) -> int:
        """How many batches that are, or may be soon."""
        return len(self.held) + len(self.coming) + self.asked


class Hands:
    """Every instance's, by its key; `most`: batches in one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._hands: dict[str, Hand] = {}

    def __getitem__(self, name: str) -> Hand:
        return self._hands.get(name) or self._hands.setdefault(name, Hand())

    def expect(self, batch: Batch, now: float) -> None:
        """It is leased, and counts as held by its instance from now on."""
        hand = self[batch.instance]
        hand.coming[batch.number] = (Held(batch.number, batch.lease), now, batch.line)
        hand.last_line = batch.line

    def put_down(self, batch: int) -> Held | None:
        """It is in nobody's hand any more; the lease it was held by."""
        for hand in self._hands.values():
            if (given := hand.held.pop(batch, None)) is not None:
                return given[0]
        return None

    @contextmanager
    def asking(self, counts: Mapping[str, int]) -> Iterator[None]:
        """While the store is asked for so many more for each, their hands are fuller by as many."""
        hands = [(self[name], count) for name, count in counts.items()]
        for hand, count in hands:
            hand.asked += count
        try:
            yield
        finally:
            for hand, count in hands:
                hand.asked -= count

    def fallen(self) -> list[tuple[Held, str]]:
        """What was held by those that ended, with the reason of their end; it is forgotten here."""
        found: list[tuple[Held, str]] = []
        for name, hand in list(self._hands.items()):
            if hand.monitor is not None and (down := hand.monitor.down) is not None:
                found += [(held, down.reason) for held, _, _ in hand.held.values()]
                hand = self._hands[name] = Hand(hand.coming)
            if hand.monitor is None and not hand.size:
                del self._hands[name]
        return found

    def leases(self, since: float) -> list[Held]:
        """Of all that was given after that time (Unix seconds)."""
        return [held for hand in self._hands.values() for held, at, _ in hand.all if at > since]

    def rests(self, name: str, now: float) -> bool:
        """Whether it wants nothing at this time (monotonic)."""
        return name in self._hands and now < self._hands[name].rests_until

    def wants(self, name: str) -> fairness.Hand | None:
        """What one that does not rest can take; None: nothing."""
        hand = self._hands.get(name)
        if hand is None:
            return fairness.Hand(self._most, {}, 0)
        room = (self._most if hand.rests_until == -math.inf else 1) - hand.size
        lines = Counter(line for _, _, line in hand.all)
        return fairness.Hand(room, lines, hand.last_line) if room > 0 else None

    def spare(self, name: str, line: int) -> bool:
        """Whether one more small batch of that line may go ahead (see `fairness.ahead`). What the
        store is just asked for is left out: it does not come out of the reserve."""
        hand = self._hands.get(name)
        if hand is None:
            return True
        if hand.rests_until != -math.inf:
            return not hand.size
        lines = Counter(line for _, _, line in hand.all)
        return fairness.ahead(line, fairness.Hand(self._most - lines.total(), lines, 0))

    def empty(self, name: str) -> bool:
        """Whether it holds nothing, and nothing is coming."""
        return name not in self._hands or not self._hands[name].size

    def hungry(self) -> bool:
        """Whether anyone holds so little that it is better filled up: a look for each batch that is
        settled would cost more than the batch."""
        return any(hand.size <= self._most // 2 for hand in self._hands.values())

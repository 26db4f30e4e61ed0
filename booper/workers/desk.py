"""Desk: where leased batches are handed to their instances, and what each of those holds.

The dispatcher's, which opens it anew whenever it begins. The fan-out, which leases the batches of
small audiences itself, hands them over here as well.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import structlog

from actors import CRASH, ActorError, Ref
from booper.domain.errors import Unavailable, Unsealable
from booper.domain.poison import Isolation, crash
from booper.store.express import Express
from booper.workers import names
from booper.workers.hand import Hands
from booper.workers.messages import Send

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain import fairness
    from booper.domain.delivery import Batch
    from booper.ports import Ports
    from booper.settings import Delivery
    from booper.store.outbox import Claimed, Held, Leased
    from booper.workers.directory import Directory
    from booper.workers.round import Round

log = structlog.get_logger()


class Desk:
    """`hands`: what every instance holds; `isolation`: which suspect is tried now. To be given
    back: `orphans`, whose holder ended, perhaps after sending, and of what it died ("" if it ended
    politely); `unsent`, which nobody took."""

    def __init__(self, ports: Ports, directory: Directory, delivery: Delivery, node: str) -> None:
        self._ports = ports
        self._directory = directory
        self._delivery = delivery
        self._node = node
        self._owner: Round | None = None
        self.hands = Hands(delivery.batches_in_flight)
        self.isolation = Isolation()
        self.orphans: list[tuple[Held, str]] = []
        self.unsent: list[Held] = []

    def open(self, owner: Round) -> None:
        """A dispatcher begins; what one before it knew is left to the leases."""
        self._owner = owner
        self.hands = Hands(self._delivery.batches_in_flight)
        self.isolation = Isolation()
        self.orphans, self.unsent = [], []

    def close(self) -> None:
        """The dispatcher ends: nothing is leased past it."""
        self._owner = None

    def able(self, name: str) -> bool:
        """Whether that instance lives, may send, and does not rest."""
        wanted = self._directory.get(name)
        return (
            self._owner is not None
            and wanted is not None
            and wanted.sends
            and not self.hands.rests(name, self._ports.clock.monotonic())
            and Ref(self._owner.registry, names.instance(name)).statistics() is not None
        )

    def wants(self, name: str) -> fairness.Hand | None:
        """What that instance can take now beside what it holds; None: nothing."""
        if name == self.isolation.instance or not self.able(name):
            return None
        return self.hands.wants(name)

    def express(self, now: float) -> Express | None:
        """What the fan-out may lease on its own; None: nothing just now."""
        if self._owner is None:
            return None
        until = now + self._delivery.lease
        return Express(self._ports.ids.mint(), self._node, until, self._takes)

    def _takes(self, name: str, line: int) -> bool:
        free = name != self.isolation.instance and self.able(name)
        return free and self.hands.spare(name, line)

    def expect(self, claimed: Sequence[Claimed | Leased], now: float) -> None:
        """They are leased, and on their way to their instances."""
        for one in claimed:
            self.hands.expect(one.batch, now)

    async def deliver(self, claimed: Sequence[Claimed], now: float) -> None:
        """Expect these, and hand them over. Whatever breaks it off, no lease is kept of what was
        not handed over."""
        self.expect(claimed, now)
        left = deque(claimed)
        try:
            while left:
                await self.hand_over(left[0])
                left.popleft()
        finally:
            for one in left:
                self.give_up(one.batch)

    async def hand_over(self, one: Claimed) -> None:
        """Open a batch that is expected, and give it to its instance; else it is to be given back.
        Others get their turn in between where it is large."""
        try:
            tokens = await self._ports.device_tokens.open(one.sealed)
        except (Unavailable, Unsealable) as error:
            # A key of the ring that is missing may come back, as a store does.
            log.error("device_tokens_not_opened", code=error.code, detail=error.detail)
            self.give_up(one.batch)
        else:
            self._hand_over(one.opened(tokens))

    def _hand_over(self, batch: Batch) -> None:
        if self._owner is None:
            return  # its lease runs out
        ref = Ref(self._owner.registry, names.instance(batch.instance))
        hand = self.hands[batch.instance]
        if hand.monitor is not None and hand.monitor.down is not None:
            self.gather_orphans()
            hand = self.hands[batch.instance]
        if hand.monitor is None:
            hand.monitor = self._owner.monitor(ref)
        try:
            ref.cast(Send(batch))
        except ActorError:
            self.give_up(batch)
        else:
            hand.held[batch.number] = hand.coming.pop(batch.number)

    def forget(self, batch: Batch) -> None:
        """It ended before it was handed over."""
        self.hands[batch.instance].coming.pop(batch.number)
        self.isolation.end(batch.number)

    def give_up(self, batch: Batch) -> None:
        """Nobody took it: it goes back as it came. Nothing happens where it is not expected."""
        given = self.hands[batch.instance].coming.pop(batch.number, None)
        if given is None:
            return
        self.unsent.append(given[0])
        self.isolation.end(batch.number)
        if self._owner is not None:
            self._owner.wake()

    def gather_orphans(self) -> None:
        """What was held by those that ended is to be given back."""
        for held, reason in self.hands.fallen():
            self.orphans.append((held, crash(reason) if reason.startswith(CRASH) else ""))
            self.isolation.end(held.batch)

"""Dispatcher: claims due batches under a lease and hands each to its instance.

It is the leases' owner: it renews those in an instance's hands and gives back at once those of an
instance that died. A full mailbox or a missing instance means later, not lost.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import structlog
import trio

from actors import ActorError, Cast, Down, Monitor, Ref
from booper.domain.errors import Unavailable
from booper.store import outbox
from booper.store.outbox import Held
from booper.workers import names
from booper.workers.messages import Send, Settled
from booper.workers.round import Round

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.delivery import Batch
    from booper.ports import Ports, Tx
    from booper.settings import Delivery

log = structlog.get_logger()

HOLD = 600.0  # seconds an instance may keep a batch; then its lease is let go


class Hand:
    """What one incarnation of an instance holds: batch → (lease, since when)."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self.held: dict[int, tuple[Held, float]] = {}


class Dispatcher(Round):
    """Keeps at most `batches_in_flight` batches in each instance's hand."""

    def __init__(
        self, ports: Ports, instances: Sequence[str], delivery: Delivery, node: str
    ) -> None:
        super().__init__(delivery)
        self._ports = ports
        self._instances = list(instances)
        self._node = node
        self._hands: dict[str, Hand] = {}
        self._orphans: list[Held] = []  # their holder died, perhaps after sending
        self._unsent: list[Held] = []  # nobody took them

    async def init(self) -> None:
        await super().init()
        self.stand(self._renew)

    async def handle_cast(self, message: Cast) -> None:
        match message:
            case Settled(batch):
                for hand in self._hands.values():
                    hand.held.pop(batch, None)
                self.wake()
            case Down():
                self._gather_orphans()
                self.wake()
            case _:
                await super().handle_cast(message)

    async def step(self) -> float:
        database, now = self._ports.database, self._ports.clock.wall()
        self._gather_orphans()
        await self._give_back(now)
        wants = self._wants()
        if not wants:
            return math.inf
        lease, until = self._ports.ids.mint(), now + self.delivery.lease
        due = await database.read(outbox.next_due, [name for name, _ in wants])
        if due is None or due > now:
            return math.inf if due is None else due - now
        claimed = await self._claim(wants, lease, now, until)
        for batch in claimed:
            self._hand_over(batch, now)
        return 0.0

    async def _give_back(self, now: float) -> None:
        """Release what nobody holds any more. If the store is away, the next step tries again."""
        orphans, unsent = list(self._orphans), list(self._unsent)
        if orphans or unsent:

            async def release(tx: Tx) -> None:
                await outbox.release(tx, orphans, now, doubt=True)
                await outbox.release(tx, unsent, now + self.delivery.tick, doubt=False)

            await self._ports.database.write(release)
            del self._orphans[: len(orphans)], self._unsent[: len(unsent)]

    async def _claim(
        self, wants: Sequence[tuple[str, int]], lease: str, now: float, until: float
    ) -> list[Batch]:
        async def claim(tx: Tx) -> list[Batch]:
            return await outbox.claim(tx, wants, lease=lease, node=self._node, now=now, until=until)

        return await self._ports.database.write(claim)

    def _wants(self) -> list[tuple[str, int]]:
        """The living instances with room, and how much."""
        wants = []
        for name in self._instances:
            hand = self._hands.get(name)
            room = self.delivery.batches_in_flight - (len(hand.held) if hand else 0)
            if room > 0 and Ref(self.registry, names.instance(name)).statistics() is not None:
                wants.append((name, room))
        return wants

    def _hand_over(self, batch: Batch, now: float) -> None:
        held = Held(batch.number, batch.lease)
        ref = Ref(self.registry, names.instance(batch.instance))
        hand = self._hands.get(batch.instance)
        if hand is None or hand.monitor.down is not None:
            self._gather_orphans()
            hand = self._hands[batch.instance] = Hand(self.monitor(ref))
        try:
            ref.cast(Send(batch))
        except ActorError:
            self._unsent.append(held)
        else:
            hand.held[batch.number] = (held, now)

    def _gather_orphans(self) -> None:
        for name, hand in list(self._hands.items()):
            if hand.monitor.down is not None:
                self._orphans += [held for held, _ in hand.held.values()]
                del self._hands[name]

    async def _renew(self) -> None:
        while True:
            await trio.sleep(self.delivery.lease / 3)
            now = self._ports.clock.wall()
            held = [
                lease
                for hand in self._hands.values()
                for lease, since in hand.held.values()
                if now - since < HOLD
            ]
            try:
                if held:
                    until = now + self.delivery.lease
                    await self._ports.database.write(outbox.renew, held, until)
            except Unavailable as error:
                log.error("leases_not_renewed", detail=error.detail, batches=len(held))

"""Dispatcher: claims due batches under a lease and hands each to its instance.

It is the leases' owner: it renews those in an instance's hands and gives back at once those of an
instance that died, to be tried one by one (see domain/poison.py). A full mailbox or a missing
instance means later, not lost.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import structlog
import trio

from actors import Cast, Down
from booper.domain.errors import Unavailable
from booper.store import agenda, endings, outbox, poison
from booper.workers.messages import Declined, Resting, Settled
from booper.workers.round import Round

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.domain import fairness
    from booper.ports import Ports, Tx
    from booper.settings import Delivery
    from booper.store.outbox import Claimed, Leased, Terms
    from booper.workers.desk import Desk

log = structlog.get_logger()

HOLD = 600.0  # seconds an instance may keep a batch; then its lease is let go
LANES = 2  # claims at once: a campaign's, and what comes meanwhile
BATCH = 8  # what one weighs in a commit
CLAIM = 4  # batches in one transaction: a handful, so that whoever waits has a turn soon


class Dispatcher(Round):
    """Keeps at most `batches_in_flight` batches in each instance's hand."""

    def __init__(self, ports: Ports, desk: Desk, delivery: Delivery, node: str) -> None:
        super().__init__(delivery, LANES)
        self._ports = ports
        self._desk = desk
        self._node = node
        self._claimed: list[Claimed] = []  # to be opened and handed over, the smallest first
        self._more = trio.Event()
        self._last, self._asked = "", 0  # of the instances, and how many in vain
        self._patient = False  # woken by nothing but room in a hand
        self._idle = False  # at the last look nothing was due

    async def init(self) -> None:
        self._desk.open(self)
        await super().init()
        self.stand(self._renew)
        self.stand(self._bring)

    async def terminate(self, reason: str) -> None:
        self._desk.close()
        await super().terminate(reason)

    async def handle_cast(self, message: Cast) -> None:
        match message:
            case Settled(batch):
                self._desk.hands.put_down(batch)
                self._desk.isolation.end(batch)
                if not self.woken:
                    self._patient = True
                self.wake()
            case Declined(batch):
                if (held := self._desk.hands.put_down(batch)) is not None:
                    self._desk.unsent.append(held)
                self._desk.isolation.end(batch)
                self.wake()
            case Resting(instance, seconds):
                until = self._ports.clock.monotonic() + seconds
                self._desk.hands[instance].rests_until = until if seconds > 0 else -math.inf
                self.wake()
            case Down():
                self._desk.gather_orphans()
                self.wake()
            case _:
                self._patient = False
                await super().handle_cast(message)

    async def step(self) -> float:
        database, now = self._ports.database, self._ports.clock.wall()
        patient, self._patient = self._patient, False
        self._desk.gather_orphans()
        await self._give_back(now)
        if patient and (self._idle or not self._desk.hands.hungry()):
            return math.inf  # the next one that is settled, or a tick, leads on
        waiting, suspicious = await database.read(agenda.look)
        suspects = [instance for instance, due_at in suspicious if due_at <= now]
        suspect = self._isolate(suspects)
        due = [instance for instance, due_at in waiting if due_at <= now]
        self._idle = not due and not suspects
        wants = self._wants(due)
        later = min((due_at - now for _, due_at in waiting if due_at > now), default=math.inf)
        if not wants and suspect is None:
            return later
        claimed = await self._claim(wants, suspect, now)
        if not claimed:  # what room there is, is kept for others
            self._asked += len(wants)
            if self._asked < len(due):
                return 0.0  # the next handful
            self._asked = 0
            return later
        self._asked = 0
        self._claimed = sorted([*self._claimed, *claimed], key=lambda one: len(one.sealed))
        self._more.set()
        return 0.0

    async def _bring(self) -> None:
        """Open what was claimed and hand it over, beside the next claim, so that nobody's large
        batches stand before another's small one."""
        while True:
            self._more = trio.Event()
            while self._claimed:
                one = self._claimed.pop(0)
                await self._desk.hand_over(one)
                await trio.lowlevel.checkpoint()
            await self._more.wait()

    async def _give_back(self, now: float) -> None:
        """Release what nobody holds any more. If the store is away, the next step tries again."""
        desk = self._desk
        orphans, unsent = desk.orphans, desk.unsent
        if not orphans and not unsent:
            return
        desk.orphans, desk.unsent = [], []

        async def release(tx: Tx) -> None:
            for held, death in orphans:
                await outbox.release(tx, [held], now, doubt=True, death=death)
            await outbox.release(tx, unsent, now + self.delivery.tick, doubt=False)

        try:
            await self._ports.database.write(release)
        except BaseException:
            desk.orphans += orphans
            desk.unsent += unsent
            raise

    async def _claim(
        self, wants: Mapping[str, fairness.Hand], suspect: str | None, now: float
    ) -> list[Claimed]:
        """Lease batches for these; meanwhile their hands are as full as they may become."""
        most = CLAIM // max(len(wants), 1)
        asked = {name: min(want.room, most) for name, want in wants.items()}
        if suspect is not None:
            asked[suspect] = 1
        until = now + self.delivery.lease
        terms = outbox.Terms(self._ports.ids.mint(), self._node, now, until)
        leased: list[Leased] = []
        try:
            with self._desk.hands.asking(asked):
                leased += await self._lease(wants, terms, most)
                self._desk.expect(leased, now)
                if suspect is not None:
                    alone = await self._ports.database.write(poison.claim, suspect, terms)
                    leased += alone
                    self._desk.expect(alone, now)
                    for one in alone:
                        self._desk.isolation.begin(one.batch.number, self._ports.clock.monotonic())
            return await self._locate(leased, now)
        except BaseException:
            for one in leased:
                self._desk.give_up(one.batch)  # as far as it is still expected
            raise

    async def _lease(
        self, wants: Mapping[str, fairness.Hand], terms: Terms, most: int
    ) -> list[Leased]:
        """What stands next in the lines of those that want something, `most` for each. Not in one
        transaction with the look: what others take meanwhile is missing, no more."""
        database = self._ports.database
        turns = [
            turn
            for name, hand in wants.items()
            for turn in outbox.shares(
                name, await database.read(outbox.lines, name, terms.now), hand
            )
        ]
        if len(turns) == 1:
            one = turns[0]._replace(most=min(turns[0].most, most))
            return await database.write(outbox.take_one, one, terms, weight=BATCH * one.most)
        if not turns:
            return []
        weight = BATCH * most * len(wants)
        return await database.write(outbox.take, turns, terms, most, weight=weight)

    async def _locate(self, leased: Sequence[Leased], now: float) -> list[Claimed]:
        """These with their targets, without those whose app was deleted: they end here."""
        database = self._ports.database
        orphans = [one for one in leased if one.orphan]
        if orphans:
            await database.write(endings.orphaned, orphans, now)
            for one in orphans:
                self._desk.forget(one.batch)
        living = [one for one in leased if not one.orphan]
        return await database.read(outbox.located, living) if living else []

    def _isolate(self, suspects: Sequence[str]) -> str | None:
        """The instance whose suspect is to be claimed now. Once chosen it is handed nothing else
        until its hand is empty, its suspect tried."""
        isolation, now = self._desk.isolation, self._ports.clock.monotonic()
        isolation.choose(suspects, set(filter(self._desk.able, suspects)), now)
        name = isolation.instance
        if name is None or not isolation.waits:
            return None
        return name if self._desk.hands.empty(name) else None

    def _wants(self, due: Sequence[str]) -> dict[str, fairness.Hand]:
        """The instances among these that live, may send and have room, and what they can take: a
        handful of them, beginning behind those of the last time."""
        wants: dict[str, fairness.Hand] = {}
        after = [name for name in due if name > self._last]
        for name in after + [name for name in due if name <= self._last]:
            if len(wants) == CLAIM:
                break
            if (hand := self._desk.wants(name)) is not None:
                wants[name] = hand
                self._last = name
        return wants

    async def _renew(self) -> None:
        while True:
            await trio.sleep(self.delivery.lease / 3)
            now = self._ports.clock.wall()
            held = self._desk.hands.leases(now - HOLD)
            try:
                if held:
                    until = now + self.delivery.lease
                    await self._ports.database.write(outbox.renew, held, until)
            except Unavailable as error:
                log.error("leases_not_renewed", detail=error.detail, batches=len(held))

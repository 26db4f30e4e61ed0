"""Dispatcher: claims due batches under a lease and hands each to its instance.

It is the leases' owner: it renews those in an instance's hands and gives back at once those of an
instance that died, to be tried one by one (see domain/poison.py). A full mailbox or a missing
instance means later, not lost.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import structlog
import trio

from actors import CRASH, ActorError, Cast, Down, Ref
from booper.domain.errors import Unavailable, Unsealable
from booper.domain.poison import Isolation, crash
from booper.store import endings, outbox, poison, quarantine
from booper.workers import names
from booper.workers.hand import Hands
from booper.workers.messages import Declined, Resting, Send, Settled
from booper.workers.round import Round

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.domain import fairness
    from booper.domain.delivery import Batch
    from booper.ports import Ports, Tx
    from booper.settings import Delivery
    from booper.store.outbox import Claimed, Held
    from booper.workers.directory import Directory

log = structlog.get_logger()

HOLD = 600.0  # seconds an instance may keep a batch; then its lease is let go
LANES = 2  # claims at once: a campaign's, and what comes meanwhile
CLAIM = 8  # batches in one transaction: a handful, so that whoever waits has a turn soon


class Dispatcher(Round):
    """Keeps at most `batches_in_flight` batches in each instance's hand."""

    def __init__(self, ports: Ports, directory: Directory, delivery: Delivery, node: str) -> None:
        super().__init__(delivery, LANES)
        self._ports = ports
        self._directory = directory
        self._node = node
        self._hands = Hands(delivery.batches_in_flight)
        # Whose holder ended, perhaps after sending; and of what it died, "" if it ended politely.
        self._orphans: list[tuple[Held, str]] = []
        self._unsent: list[Held] = []  # nobody took them
        self._claimed: list[Claimed] = []  # to be opened and handed over, the smallest first
        self._more = trio.Event()
        self._last, self._asked = "", 0  # of the instances, and how many in vain
        self._patient = False  # woken by nothing but room in a hand
        self._isolation = Isolation()

    async def init(self) -> None:
        await super().init()
        self.stand(self._renew)
        self.stand(self._bring)

    async def handle_cast(self, message: Cast) -> None:
        match message:
            case Settled(batch):
                self._hands.put_down(batch)
                self._isolation.end(batch)
                if not self.woken:
                    self._patient = True
                self.wake()
            case Declined(batch):
                if (held := self._hands.put_down(batch)) is not None:
                    self._unsent.append(held)
                self._isolation.end(batch)
                self.wake()
            case Resting(instance, seconds):
                until = self._ports.clock.monotonic() + seconds
                self._hands[instance].rests_until = until if seconds > 0 else -math.inf
                self.wake()
            case Down():
                self._gather_orphans()
                self.wake()
            case _:
                self._patient = False
                await super().handle_cast(message)

    async def step(self) -> float:
        database, now = self._ports.database, self._ports.clock.wall()
        patient, self._patient = self._patient, False
        self._gather_orphans()
        await self._give_back(now)
        if patient and not self._hands.hungry():
            return math.inf  # the next one that is settled, or a tick, leads on
        waiting, suspects = await database.read(_waiting, now)
        suspect = self._isolate(suspects)
        due = [instance for instance, due_at in waiting if due_at <= now]
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
                await self._open(one)
                await trio.lowlevel.checkpoint()
            await self._more.wait()

    async def _open(self, one: Claimed) -> None:
        try:
            tokens = await self._ports.device_tokens.open(one.sealed)
        except (Unavailable, Unsealable) as error:
            # A key of the ring that is missing may come back, as a store does.
            log.error("device_tokens_not_opened", code=error.code, detail=error.detail)
            self._give_up(one.batch)
        else:
            self._hand_over(one.opened(tokens))

    async def _give_back(self, now: float) -> None:
        """Release what nobody holds any more. If the store is away, the next step tries again."""
        orphans, unsent = self._orphans, self._unsent
        if not orphans and not unsent:
            return
        self._orphans, self._unsent = [], []

        async def release(tx: Tx) -> None:
            for held, death in orphans:
                await outbox.release(tx, [held], now, doubt=True, death=death)
            await outbox.release(tx, unsent, now + self.delivery.tick, doubt=False)

        try:
            await self._ports.database.write(release)
        except BaseException:
            self._orphans += orphans
            self._unsent += unsent
            raise

    async def _claim(
        self, wants: Mapping[str, fairness.Hand], suspect: str | None, now: float
    ) -> list[Claimed]:
        """Lease batches for these; meanwhile their hands are as full as they may become."""
        most = CLAIM // max(len(wants), 1)
        asked = {name: min(want.room, most) for name, want in wants.items()}
        if suspect is not None:
            asked[suspect] = 1
        lease, until = self._ports.ids.mint(), now + self.delivery.lease
        ours = partial(outbox.claim, lease=lease, node=self._node, now=now, until=until)
        alone = partial(poison.claim, lease=lease, node=self._node, now=now, until=until)

        async def claim(tx: Tx) -> list[Claimed]:
            claimed = await ours(tx, wants, most=most)
            if suspect is not None:
                claimed += await alone(tx, suspect)
            return await endings.living(tx, claimed, now)

        with self._hands.asking(asked):
            claimed = await self._ports.database.write(claim)
        for one in claimed:
            self._hands.expect(one.batch, now)
            if one.batch.instance == suspect:
                self._isolation.begin(one.batch.number, self._ports.clock.monotonic())
        return claimed

    def _isolate(self, suspects: Sequence[str]) -> str | None:
        """The instance whose suspect is to be claimed now. Once chosen it is handed nothing else
        until its hand is empty, its suspect tried."""
        now = self._ports.clock.monotonic()
        able = {name for name in suspects if self._able(name, now)}
        self._isolation.choose(suspects, able, now)
        name = self._isolation.instance
        if name is None or not self._isolation.waits:
            return None
        return name if self._hands.empty(name) else None

    def _able(self, name: str, now: float) -> bool:
        """Whether that instance lives, may send, and does not rest."""
        wanted = self._directory.get(name)
        return (
            wanted is not None
            and wanted.sends
            and not self._hands.rests(name, now)
            and Ref(self.registry, names.instance(name)).statistics() is not None
        )

    def _wants(self, due: Sequence[str]) -> dict[str, fairness.Hand]:
        """The instances among these that live, may send and have room, and what they can take: a
        handful of them, beginning behind those of the last time."""
        wants: dict[str, fairness.Hand] = {}
        now = self._ports.clock.monotonic()
        after = [name for name in due if name > self._last]
        for name in after + [name for name in due if name <= self._last]:
            if len(wants) == CLAIM:
                break
            if name == self._isolation.instance or not self._able(name, now):
                continue
            if (hand := self._hands.wants(name)) is not None:
                wants[name] = hand
                self._last = name
        return wants

    def _hand_over(self, batch: Batch) -> None:
        ref = Ref(self.registry, names.instance(batch.instance))
        hand = self._hands[batch.instance]
        if hand.monitor is not None and hand.monitor.down is not None:
            self._gather_orphans()
            hand = self._hands[batch.instance]
        if hand.monitor is None:
            hand.monitor = self.monitor(ref)
        try:
            ref.cast(Send(batch))
        except ActorError:
            self._give_up(batch)
        else:
            hand.held[batch.number] = hand.coming.pop(batch.number)

    def _give_up(self, batch: Batch) -> None:
        """Nobody took it: it goes back as it came."""
        held, _, _ = self._hands[batch.instance].coming.pop(batch.number)
        self._unsent.append(held)
        self._isolation.end(batch.number)
        self.wake()

    def _gather_orphans(self) -> None:
        for held, reason in self._hands.fallen():
            self._orphans.append((held, crash(reason) if reason.startswith(CRASH) else ""))
            self._isolation.end(held.batch)

    async def _renew(self) -> None:
        while True:
            await trio.sleep(self.delivery.lease / 3)
            now = self._ports.clock.wall()
            held = self._hands.leases(now - HOLD)
            try:
                if held:
                    until = now + self.delivery.lease
                    await self._ports.database.write(outbox.renew, held, until)
            except Unavailable as error:
                log.error("leases_not_renewed", detail=error.detail, batches=len(held))


async def _waiting(tx: Tx, now: float) -> tuple[list[tuple[str, float]], list[str]]:
    """The instances with waiting batches, and those with suspects that are due; without those that
    their brake has paused."""
    paused = await quarantine.paused(tx)
    waiting, suspects = await outbox.waiting(tx), await poison.suspects(tx, now)
    return (
        [(name, due) for name, due in waiting if name not in paused],
        [name for name in suspects if name not in paused],
    )

"""Succession: the generations of one instance in use, and how one follows another.

The new one is built, connected, and swapped in by one assignment; the old one finishes what it has
in hand. Until the provider has accepted something from it, the new one is on trial: what the
provider refuses goes through the proved one at once, which is then back in charge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog
import trio

from booper.domain.errors import BooperError, Unavailable
from booper.domain.outcome import Kind, Outcome
from booper.domain.receipt import Heard, Unasked
from booper.domain.rotation import against, refusal
from booper.domain.wanted import CANARY
from booper.workers.generation import Generation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any

    from booper.domain.delivery import Batch
    from booper.domain.wanted import Wanted
    from booper.ports import Ports
    from booper.settings import Delivery
    from booper.workers.source import Source
    from booper.workers.turnstile import Turnstile

log = structlog.get_logger()

TRIES = 3  # to connect a new generation, before it counts as failed
PAUSE = 1.0  # seconds between two tries
TROUBLE = 30.0  # seconds before settings that cannot be used are looked at again
Identity = tuple[int, int]  # generation, reconnects
_NOBODY = Outcome(Kind.REFUSED, 0, "no generation of its settings can be used")


class Succession:
    """Give it a nursery by `open`; then `follow` rows and `send` batches."""

    def __init__(self, label: str, source: Source, ports: Ports, delivery: Delivery) -> None:
        """`swapped`, set by the owner, is called when another generation has taken over."""
        self.swapped: Callable[[], None] = lambda: None
        self._label = label
        self._source = source
        self._ports = ports
        self._delivery = delivery
        self._wanted = source.wanted()
        self._built: dict[Identity, Generation] = {}
        self._given_up: set[Identity] = set()
        self._rejected: set[int] = set()
        self._accepted = 0  # pushes, by the generation on trial
        self._builder: trio.CancelScope | None = None
        self._changed = trio.Event()
        self._trouble: tuple[Outcome, float] | None = None
        self._nursery: trio.Nursery | None = None
        self._serving: Generation | None = None
        self._proving: Generation | None = None

    def open(self, nursery: trio.Nursery) -> None:
        """Where its tasks live. Nothing is built before the first batch."""
        self._nursery = nursery
        self._source.adopted(self._wanted)

    @property
    def generation(self) -> int:
        """The number of the generation in charge."""
        proving = self._wanted.proving
        return self._wanted.serving if proving is None else proving

    def follow(self, wanted: Wanted) -> None:
        """Become what this row says: at once while idle, else as soon as it is connected."""
        if wanted.version <= self._wanted.version:
            return
        if wanted.proving != self._wanted.proving:
            self._accepted = 0
        self._wanted = wanted
        self._trouble = None
        self._given_up.clear()
        self._rejected &= {wanted.proving or 0}
        if self._built or self._builder is not None:
            self._build()
        else:
            self._source.adopted(wanted)

    def in_charge(self, generation: Generation) -> bool:
        """Whether what this one meets still says something about the instance."""
        return generation is self._serving or generation is self._proving

    @property
    def turnstile(self) -> Turnstile | None:
        """What is passed on the way to the provider now; None: nothing was sent yet."""
        return used.turnstile if (used := self._serving) else None

    def wait(self) -> float:
        """Seconds for which batches are better left in the outbox; 0: bring them."""
        used = [one.turnstile.wait() for one in (self._serving, self._proving) if one]
        trouble = self._trouble[1] - self._ports.clock.monotonic() if self._trouble else 0.0
        return min(used) if used else max(trouble, 0.0)

    async def send(
        self, batch: Batch, *, urgent: bool = False
    ) -> tuple[Generation | None, list[Outcome]]:
        """One outcome per target, in order, and whose they are; None: nobody could send."""
        generation = await self._choose()
        if generation is None:
            return None, [self._trouble[0] if self._trouble else _NOBODY] * len(batch.targets)
        outcomes = await generation.send(batch, urgent=urgent)
        if generation is self._serving and generation.number == self._wanted.serving:
            return generation, outcomes
        return await self._judge(generation, batch, outcomes)

    async def ask(self, tickets: Sequence[str]) -> list[Heard]:
        """What became of pushes that were accepted with these tickets, in order."""
        generation = await self._choose()
        if generation is None:
            return [Unasked(_NOBODY.reason)] * len(tickets)
        return await generation.ask(tickets)

    async def close(self) -> None:
        """Let everything end, then close every connection."""
        if self._builder is not None:
            self._builder.cancel()
        async with trio.open_nursery() as nursery:
            for generation in self._built.values():
                nursery.start_soon(generation.drain)

    # -- on trial

    async def _judge(
        self, generation: Generation, batch: Batch, outcomes: list[Outcome]
    ) -> tuple[Generation, list[Outcome]]:
        """What the provider said to one on trial, or replaced meanwhile: a refusal of those is no
        last word, the one in charge tries at once."""
        words = refusal(outcomes)
        late = not self.in_charge(generation) and any(o.kind is Kind.HELD for o in outcomes)
        if words is None and not late:
            self._count(generation.number, outcomes)
            return generation, outcomes
        if words is not None and generation is self._proving:
            self._reject(generation.number, words)
        other = await self._choose()
        if other is None or other is generation:
            return generation, outcomes
        again = [i for i, o in enumerate(outcomes) if against(o) or o.kind is Kind.HELD]
        part = msgspec.structs.replace(batch, targets=tuple(batch.targets[i] for i in again))
        for i, outcome in zip(again, await other.send(part), strict=True):
            outcomes[i] = outcome
        return other, outcomes

    def _count(self, number: int, outcomes: list[Outcome]) -> None:
        if number != self._wanted.proving:
            return
        before, needed = self._accepted, CANARY if self._wanted.share < 1.0 else 1
        self._accepted += sum(outcome.kind is Kind.ACCEPTED for outcome in outcomes)
        if before < needed <= self._accepted:
            log.info("rotation_done", instance=self._label, generation=number)
            self._start(self._source.proved, number)

    def _reject(self, number: int, words: str) -> None:
        """Put the proved one back: from now on nothing is sent through this one."""
        log.error("rotation_failed", instance=self._label, generation=number, why=words)
        self._rejected.add(number)
        self._assign()
        self._start(self._source.refused, number, words)

    # -- who sends

    async def _choose(self) -> Generation | None:
        """The one on trial for its share of the batches, else the proved one; None: neither can
        be built."""
        while True:
            proving, serving = self._proving, self._serving
            if proving is not None and (
                serving is None or self._ports.dice.random() < self._wanted.share
            ):
                return proving
            if serving is not None:
                return serving
            if self._trouble is not None:
                if self._ports.clock.monotonic() < self._trouble[1]:
                    return None
                self._trouble = None
                self._given_up.clear()
            changed = self._changed
            self._build()
            await changed.wait()

    # -- building

    def _targets(self) -> tuple[Identity, Identity | None]:
        """What should be there: the proved one, and the one on trial if there is one."""
        wanted = self._wanted
        number = wanted.proving
        serving = (wanted.serving, wanted.reconnects)
        if number is None or number in self._rejected:
            return serving, None
        return serving, (number, wanted.reconnects)

    def _build(self) -> None:
        """See to it that what should be there will be; one task at a time does."""
        if self._builder is None:
            self._builder = trio.CancelScope()
            self._start(self._build_all, self._builder)

    async def _build_all(self, scope: trio.CancelScope) -> None:
        with scope:
            while True:
                self._assign()
                missing = self._missing()
                if missing is None:
                    break
                await self._build_one(missing)
        self._builder = None
        self._source.adopted(self._wanted)

    def _missing(self) -> Identity | None:
        """What to build next: after a restart the one on trial, as the old one may not be there."""
        serving, proving = self._targets()
        order = (serving, proving) if self._built else (proving, serving)
        for one in order:
            if one and one not in self._built and one not in self._given_up:
                return one
        return None

    async def _build_one(self, identity: Identity) -> None:
        """Into `_built`, connected if it is on trial or connections are in use; or given up."""
        number = identity[0]
        generation: Generation | None = None
        try:
            codec, caps = await self._source.codec(number)
            generation = Generation(number, codec, self._ports, self._delivery, caps, self._label)
            self._start(generation.run)
            needed = self._built or number == self._wanted.proving
            why = await self._connect(generation, identity) if needed else ""
        except Unavailable:
            await trio.sleep(PAUSE)  # the store is away; the row may have changed when it is back
            return
        except BooperError as error:
            why = f"{error.code}: {error.detail}"
        except trio.Cancelled:
            if generation is not None:
                self._start(generation.drain)
            raise
        if not why and generation is not None:
            self._built[identity] = generation
            return
        if generation is not None:
            self._start(generation.drain)
        if identity not in self._targets():
            return  # nobody wants it any more
        self._given_up.add(identity)
        if number == self._wanted.proving:
            self._reject(number, why)
        elif self._serving is None:
            log.error("instance_unusable", instance=self._label, why=why)
            until = self._ports.clock.monotonic() + TROUBLE
            self._trouble = (Outcome(Kind.REFUSED, 0, why), until)
        else:
            log.error("instance_not_reconnected", instance=self._label, why=why)

    async def _connect(self, generation: Generation, identity: Identity) -> str:
        """ "" once connected, else why not."""
        why = ""
        for attempt in range(TRIES):
            if attempt:
                await trio.sleep(PAUSE)
            if identity not in self._targets():
                return "superseded"
            lost = await generation.warm(self._delivery.send_timeout)
            if lost is None:
                return ""
            why = f"{lost.reason}: {lost.detail}"
        return why

    def _assign(self) -> None:
        """The swap. Whoever is not needed any more finishes what it has, and is closed."""
        serving, proving = self._targets()
        before = self._serving, self._proving
        self._serving = self._built.get(serving, self._serving)
        self._proving = self._built.get(proving) if proving else None
        used = (self._serving, self._proving)
        if used != before:
            self.swapped()
        for identity, generation in list(self._built.items()):
            if generation not in used:
                del self._built[identity]
                self._start(generation.drain)
        self._changed.set()
        self._changed = trio.Event()

    def _start(self, task: Callable[..., Awaitable[None]], *args: Any) -> None:
        assert self._nursery is not None  # noqa: S101 - opened first
        self._nursery.start_soon(task, *args)

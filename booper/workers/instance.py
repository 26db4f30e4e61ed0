"""Instance: one named use of a provider. It takes batches, has them sent, and settles them.

A thin shell: its succession of generations sends, `domain` says what follows. A handler never
waits: each batch is a task in the actor's nursery. A bad credential or a failing provider is a
state, not a crash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import structlog
import trio

from actors import LATER, NORMAL, Actor, Call, Cast, Reply
from booper.domain import breaker
from booper.domain.absence import given_up, missed
from booper.domain.delivery import Batch, settle, ticketed
from booper.domain.errors import Conflict, Unavailable
from booper.domain.instance import MACHINE, Event, Standing, State
from booper.domain.outcome import Kind, Outcome
from booper.store import absences, settlements, usual
from booper.workers import names
from booper.workers.messages import (
    Apply,
    Ask,
    Declined,
    Push,
    Resting,
    Send,
    Settled,
    Status,
    Weigh,
    hint,
)
from booper.workers.succession import Succession

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.brake import Alarm
    from booper.domain.delivery import Settlement
    from booper.domain.receipt import Heard
    from booper.domain.wanted import Wanted
    from booper.ports import Ports
    from booper.settings import Delivery
    from booper.workers.generation import Generation
    from booper.workers.source import Source

log = structlog.get_logger()

USUAL = 8  # what the usual settlement of a large batch weighs in a commit
REST = 60.0  # seconds of rest announced at most: nobody sleeps through a change


class Instance(Actor):
    """Takes Send and Apply, answers Push and Status."""

    def __init__(self, source: Source, ports: Ports, delivery: Delivery) -> None:
        self._wanted = source.wanted()
        self._label = self._wanted.key
        self._ports = ports
        self._state = State.READY
        self._succession = Succession(self._label, source, ports, delivery)
        self._succession.swapped = self._swapped
        self._resting = False
        self._in_hand = 0
        self._idle = trio.Event()
        self._accepted = 0
        self._failed = 0
        self._last_error = ""

    async def init(self) -> None:
        self._succession.open(self.nursery)

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        turnstile = self._succession.turnstile
        match message:
            case Status():
                return Standing(
                    self._label,
                    self._wanted.provider,
                    self._state.value,
                    self._accepted,
                    self._failed,
                    self._in_hand,
                    self._last_error,
                    self._succession.generation,
                    turnstile.state.value if turnstile else breaker.State.CLOSED.value,
                    round(self._succession.wait(), 1),
                )
            case Ask(tickets):
                self.nursery.start_soon(self._ask, tickets, reply)
                return LATER
            case Weigh(judged, drops):
                alarm = turnstile.weigh(judged, drops) if turnstile else None
                if alarm is not None:
                    self._cry(alarm)
                return alarm
            case Push(batch):
                if self._wanted.sends:
                    self._in_hand += 1
                    self.nursery.start_soon(self._push, batch, reply)
                else:
                    reply.fail(refused(self._wanted))
                return LATER
            case _:
                await super().handle_call(message, reply)
                return LATER

    async def handle_cast(self, message: Cast) -> None:
        match message:
            case Send(batch) if self._wanted.sends:
                self._in_hand += 1
                self.nursery.start_soon(self._deliver, batch)
            case Send(batch):
                hint(self.registry, names.DISPATCHER, Declined(batch.number))
            case Apply(wanted):
                if wanted.version > self._wanted.version:
                    self._wanted = wanted
                    self._succession.follow(wanted)
            case _:
                await super().handle_cast(message)

    async def terminate(self, reason: str) -> None:
        """A polite end settles what is in flight first; the supervisor bounds how long."""
        self._step(Event.STOP)
        if reason == NORMAL:
            while self._in_hand:
                self._idle = trio.Event()
                await self._idle.wait()
            await self._succession.close()

    async def _deliver(self, batch: Batch) -> None:
        generation, outcomes = await self._succession.send(batch)
        self._note(generation, outcomes)
        await self._settle(batch, outcomes, generation)
        self._in_hand -= 1
        self._idle.set()
        self._rest()
        hint(self.registry, names.DISPATCHER, Settled(batch.number))

    def _rest(self) -> None:
        """Tell the dispatcher how long batches are better left in the outbox, if that is news."""
        wait = self._succession.wait()
        if wait or self._resting:
            self._resting = wait > 0
            hint(self.registry, names.DISPATCHER, Resting(self._label, min(wait, REST)))

    def _swapped(self) -> None:
        """Another generation is in charge: what the last one met does not count any more."""
        self._resting = True
        self._rest()

    async def _push(self, batch: Batch, reply: Reply[list[Outcome]]) -> None:
        """Outside the outbox: the caller gets the outcomes, nobody settles them."""
        generation, outcomes = await self._succession.send(batch, urgent=True)
        self._note(generation, outcomes)
        reply.send(outcomes)
        self._in_hand -= 1
        self._idle.set()

    async def _ask(self, tickets: Sequence[str], reply: Reply[list[Heard]]) -> None:
        heard = await self._succession.ask(tickets)
        refused = [o for o in heard if isinstance(o, Outcome) and o.kind is Kind.REFUSED]
        if refused:
            self._say(Event.REFUSED, refused[0].reason)
        reply.send(heard)

    def _note(self, generation: Generation | None, outcomes: Sequence[Outcome]) -> None:
        """Keep the figures and the state that a person sees. What a generation met that is not in
        charge any more counts, but says nothing about the state."""
        kinds = [outcome.kind for outcome in outcomes]
        accepted = kinds.count(Kind.ACCEPTED)
        failed = len(kinds) - accepted
        self._accepted += accepted
        self._failed += failed - kinds.count(Kind.HELD) if failed else 0
        if generation is not None and not self._succession.in_charge(generation):
            return
        worst = next((o for o in outcomes if o.kind is Kind.REFUSED), None) if failed else None
        if worst is not None:
            self._say(Event.REFUSED, worst.reason)
        elif accepted:
            self._say(Event.SENT, "")
        elif any(o.kind is Kind.RETRY for o in outcomes):
            self._say(Event.FAILED, next(o.reason for o in outcomes if o.kind is Kind.RETRY))

    def _say(self, event: Event, reason: str) -> None:
        before = self._state
        self._step(event)
        self._last_error = reason
        if self._state is not before:
            log.warning("instance_state", instance=self._label, state=self._state.value, why=reason)

    def _step(self, event: Event) -> None:
        self._state = MACHINE.step(self._state, event)

    async def _settle(
        self, batch: Batch, outcomes: Sequence[Outcome], generation: Generation | None
    ) -> None:
        """Write what happened. An outage of the store is waited out: the outcome is not forgotten
        as long as this actor lives; should the lease run out meanwhile, the fence keeps us out."""
        pause, alarm, tickets = 0.1, None, False
        outcomes = await self._after_absence(batch, outcomes)
        decided = self._decide(batch, outcomes)
        if generation is not None:
            tickets = generation.tickets
            alarm = generation.turnstile.check(batch, outcomes, decided)
        if alarm is not None:
            self._cry(alarm)
        while True:
            now = self._ports.clock.wall()
            if tickets:
                decided = ticketed(decided, now)
            if alarm is not None:
                decided = msgspec.structs.replace(decided, alarm=alarm)
            try:
                kept = await self._ports.database.gather(
                    usual.settle if decided.usual else settlements.settle_all,
                    self._ports.clock,
                    decided,
                    weight=_weight(decided, len(batch.targets)),
                )
            except Unavailable:
                await trio.sleep(pause)
                pause = min(pause * 2, 5.0)
                decided = self._decide(batch, outcomes)
            else:
                if not kept:
                    log.warning("lease_lost", instance=self._label, batch=batch.number)
                return

    async def _after_absence(self, batch: Batch, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """What it means that nobody listened at a device now: for too long already, it is gone."""
        absent = missed(batch, outcomes)
        if not absent:
            return outcomes
        try:
            known = await self._ports.database.read(absences.known, absent)
        except Unavailable:
            return outcomes  # it will be as absent at the next try
        return given_up(batch, outcomes, known, self._ports.clock.wall())

    def _decide(self, batch: Batch, outcomes: Sequence[Outcome]) -> Settlement:
        now, dice = self._ports.clock.wall(), self._ports.dice.random()
        return settle(batch, outcomes, now=now, dice=dice)

    def _cry(self, alarm: Alarm) -> None:
        log.error(
            "instance_braked",
            instance=self._label,
            dead=alarm.dead,
            judged=alarm.judged,
            paused=alarm.mixed_up,
            detail="so many deaths are not believed: see the instance's quarantine",
        )


def _weight(settlement: Settlement, devices: int) -> int:
    """What it weighs in a commit: its rows, where it does not come to a few."""
    rows = 1 + devices // 8
    return min(rows, USUAL) if settlement.usual else rows


def refused(wanted: Wanted) -> Conflict:
    """Why it takes nothing now."""
    return Conflict(
        f"The instance {wanted.name!r} is {wanted.state}.", code=f"instance_{wanted.state}"
    )

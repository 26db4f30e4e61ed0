"""Turnstile: what every batch passes on its way to the provider, one for each generation.

It counts who may go (caps), stops all while the provider is down or refuses us (breaker), and
watches how many devices die (brake). What may not go now is held: it returns to the outbox, and
no device loses a try. Decisions are `domain`'s; here they are kept waiting and in order.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec
import structlog
import trio

from booper.domain.brake import Brake
from booper.domain.breaker import Breaker, State, Verdict, judge
from booper.domain.caps import Bucket, piece
from booper.domain.delivery import Batch
from booper.domain.outcome import Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.brake import Alarm, Drop
    from booper.domain.breaker import Ticket
    from booper.domain.delivery import Settlement
    from booper.domain.protection import Protection
    from booper.ports import Ports

log = structlog.get_logger()

Carry = Callable[[Batch], Awaitable[list[Outcome]]]

PATIENCE = 5.0  # seconds a batch waits for its turn under the rate cap; after that it is held
TURN = 30.0  # seconds after which what is left of a batch is held: its lease is not for ever

CAP = "the instance sends as much as it may"


class Turnstile:
    """One generation's. `one_provider` False: its devices live at many servers, so that what one of
    those that fails says nothing of the others; only a refused credential stops them all."""

    def __init__(
        self, label: str, protection: Protection, ports: Ports, *, one_provider: bool = True
    ) -> None:
        self._label = label
        self._rate = protection.rate or math.inf
        self._limit = protection.max_in_flight or math.inf
        self._bucket = Bucket(self._rate)
        self._slots = Slots(self._limit)
        self._brake = Brake(protection)
        self._breaker = Breaker()
        self._one_provider = one_provider
        self._clock = ports.clock
        self._dice = ports.dice
        self._closing = False

    @property
    def state(self) -> State:
        """The breaker's."""
        return self._breaker.state

    def wait(self) -> float:
        """Seconds for which batches are better left in the outbox; 0: bring them."""
        now = self._clock.monotonic()
        debt = self._bucket.debt(now)
        return max(self._breaker.wait(now), debt if debt > PATIENCE else 0.0)

    def close(self) -> None:
        """Hold whatever has not begun: the instance stops."""
        self._closing = True

    def check(self, batch: Batch, outcomes: Sequence[Outcome], done: Settlement) -> Alarm | None:
        """Whether this batch brought one death too many; to be asked once for each."""
        return self._brake.check(batch, outcomes, done, self._clock.monotonic())

    def weigh(self, judged: int, drops: Sequence[Drop]) -> Alarm | None:
        """The same for what receipts say."""
        return self._brake.weigh(judged, drops, self._clock.monotonic())

    async def pass_through(
        self, batch: Batch, carry: Carry, *, urgent: bool = False
    ) -> list[Outcome]:
        """One outcome per target, in order; HELD from the first one on that may not go now.

        `carry` is called with pieces of the batch that may go. `urgent`: somebody waits for the
        provider's words, so the breaker is not asked, and not told. Cancelling is safe.
        """
        outcomes: list[Outcome] = []
        until = self._clock.monotonic() + TURN
        while (left := len(batch.targets) - len(outcomes)) > 0:
            room = piece(self._limit, self._rate, left)
            if not await self._come(room, until, urgent=urgent):
                break
            try:
                ticket = None if urgent else self._breaker.admit(self._clock.monotonic())
                if ticket is None and not urgent:
                    break
                begin = len(outcomes)
                end = begin + (1 if ticket is not None and ticket.probe else room)
                part = batch
                if end - begin < len(batch.targets):
                    part = msgspec.structs.replace(batch, targets=batch.targets[begin:end])
                found = await carry(part)
                if ticket is not None:
                    self._record(ticket, found)
                    found = [free(one) for one in found] if ticket.probe else found
                outcomes += found
            finally:
                self._slots.release(room)
        if not left:
            return outcomes
        paused = self.state is not State.CLOSED
        why = f"the instance's breaker is {self.state.value}" if paused else CAP
        # Not for the whole pause: the dispatcher knows of that, and another credential may end it.
        after = min(self.wait(), PATIENCE)
        return outcomes + [Outcome(Kind.HELD, 0, why, after=after)] * left

    async def _come(self, count: int, until: float, *, urgent: bool) -> bool:
        """Wait for room for so many under both caps; False: too long, or there is none now."""
        now = self._clock.monotonic()
        debt = self._bucket.debt(now)
        shut = self._closing or (self._breaker.wait(now) > 0 and not urgent)
        if shut or debt > PATIENCE or now + debt > until:
            return False
        pause = self._bucket.take(count, now)
        if pause:
            await trio.sleep(pause)
        await self._slots.acquire(count)
        return True

    def _record(self, ticket: Ticket, outcomes: Sequence[Outcome]) -> None:
        verdict = judge(outcomes)
        if verdict is Verdict.FAILED and not self._one_provider:
            verdict = Verdict.WORKED
        after = 0.0
        if verdict is Verdict.REFUSED:
            after = max(o.after for o in outcomes if o.kind is Kind.REFUSED)
        before = self.state
        now, dice = self._clock.monotonic(), self._dice.random()
        self._breaker.record(ticket, verdict, now=now, dice=dice, after=after)
        if self.state is not before and self._label:  # a trial has none: its verdict is its answer
            log.warning(
                "breaker",
                instance=self._label,
                state=self.state.value,
                why=next((o.reason for o in outcomes if o.kind is not Kind.ACCEPTED), ""),
                pause=round(self._breaker.wait(now), 1),
            )


def free(outcome: Outcome) -> Outcome:
    """The outcome of a probe: one that failed is no try of the device's, however often it is it."""
    if outcome.kind is not Kind.RETRY:
        return outcome
    return msgspec.structs.replace(outcome, kind=Kind.HELD)


class Slots:
    """A number of places, taken several at a time, in order of arrival."""

    def __init__(self, limit: float) -> None:
        """`limit` inf: nobody waits."""
        self._free = limit
        self._queue: deque[tuple[int, trio.Event]] = deque()

    async def acquire(self, count: int) -> None:
        """Take `count` places, at most the limit. Cancelled while waiting, it takes none."""
        if not self._queue and count <= self._free:
            self._free -= count
            return
        mine = (count, trio.Event())
        self._queue.append(mine)
        try:
            await mine[1].wait()
        except BaseException:
            if mine[1].is_set():
                self._free += count
            else:
                self._queue.remove(mine)
            self._serve()
            raise

    def release(self, count: int) -> None:
        """Give `count` places back."""
        self._free += count
        self._serve()

    def _serve(self) -> None:
        while self._queue and self._queue[0][0] <= self._free:
            count, event = self._queue.popleft()
            self._free -= count
            event.set()

"""Receipt poller: asks, later, what became of pushes that were accepted with a ticket.

It asks through the instance that sent them, which has the credential and the connections. Every
instance is asked in a task of its own, so one that hangs delays nobody else's receipts. What one
node has taken to ask for no other does; nothing is lost by an end in between: it is due again.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import structlog
import trio

from actors import ActorError, Ref
from booper.domain.errors import Unavailable
from booper.domain.receipt import Heard, Unasked, judge
from booper.store import receipts
from booper.workers import names
from booper.workers.messages import Ask, Weigh
from booper.workers.round import Round

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.receipt import Ticket, Verdict
    from booper.ports import Ports
    from booper.settings import Delivery

log = structlog.get_logger()

PAGE = 900  # tickets asked for together: six requests to Expo, as many as it wants at once
AT_ONCE = 64  # instances asked at the same time
PAUSE = 60.0  # seconds of rest after an instance that could not be asked


class ReceiptPoller(Round):
    """Rests until the next ticket is due, or a tick."""

    def __init__(self, ports: Ports, delivery: Delivery) -> None:
        super().__init__(delivery)
        self._ports = ports
        self._asking: dict[str, trio.CancelScope] = {}
        self._not_before: dict[str, float] = {}  # monotonic

    @property
    def _patience(self) -> float:
        """Seconds to wait for an instance; it gives up by itself before that."""
        return self.delivery.send_timeout * 1.5

    async def step(self) -> float:
        waiting = await self._ports.database.read(receipts.waiting)
        now, moment = self._ports.clock.wall(), self._ports.clock.monotonic()
        self._not_before = {
            name: until for name, until in self._not_before.items() if until > moment
        }
        rest = math.inf
        for name, due_at in waiting:
            if name in self._asking:
                continue  # it wakes us when it is done
            pause = max(due_at - now, self._not_before.get(name, moment) - moment)
            if pause > 0:
                rest = min(rest, pause)
            elif len(self._asking) < AT_ONCE:
                self._asking[name] = trio.CancelScope()
                self.nursery.start_soon(self._ask, name, self._asking[name])
        return rest

    async def terminate(self, reason: str) -> None:
        await super().terminate(reason)
        for scope in self._asking.values():
            scope.cancel()

    async def _ask(self, name: str, scope: trio.CancelScope) -> None:
        """One page of an instance's due tickets: asked for, judged, written."""
        with scope:
            try:
                now = self._ports.clock.wall()
                until = now + self._patience * 2
                due = await self._ports.database.write(receipts.claim, name, now, until, PAGE)
                heard = await self._heard(name, due)
                if any(isinstance(said, Unasked) for said in heard):
                    self._not_before[name] = self._ports.clock.monotonic() + PAUSE
                now, dice = self._ports.clock.wall(), self._ports.dice.random()
                verdict = await self._weighed(name, judge(due, heard, now=now, dice=dice))
                await self._ports.database.write(receipts.settle, name, verdict, now)
            except Unavailable as error:
                log.error("receipts_not_written", instance=name, detail=error.detail)
                self._not_before[name] = self._ports.clock.monotonic() + self.delivery.tick
        del self._asking[name]
        self.wake()

    async def _weighed(self, name: str, verdict: Verdict) -> Verdict:
        """With an alarm, if the instance finds that too many died to be believed."""
        drops = verdict.drops
        if not drops:
            return verdict
        ref = Ref(self.registry, names.instance(name))
        with suppress(ActorError):
            alarm = await ref.call(Weigh(len(verdict.final), drops), self._patience)
            return msgspec.structs.replace(verdict, alarm=alarm)
        return verdict

    async def _heard(self, name: str, due: Sequence[Ticket]) -> Sequence[Heard]:
        """What the instance was told; an instance that does not run was told nothing."""
        if not due:
            return []
        try:
            ref = Ref(self.registry, names.instance(name))
            return await ref.call(Ask(tuple(ticket.id for ticket in due)), self._patience)
        except ActorError as error:
            return [Unasked(f"the instance does not answer: {type(error).__name__}")] * len(due)

"""Instance: one named use of a provider. It stamps, sends, reads the answers and settles.

A thin shell: the codec decides what to say and what answers mean, `domain` what follows. A
handler never waits: each batch is a task in the actor's nursery. A bad credential or a failing
provider is a state, not a crash.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
import trio

from actors import LATER, NORMAL, Actor, Call, Cast, Reply
from booper.domain.content import Content
from booper.domain.delivery import Batch, settle
from booper.domain.errors import Unavailable
from booper.domain.instance import MACHINE, Event, Standing, State
from booper.domain.outcome import Kind, Outcome
from booper.providers.provider import AccessToken, Occasion
from booper.store import outbox
from booper.workers import names
from booper.workers.messages import Send, Settled, Status, hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Ports
    from booper.providers.provider import Codec, Compiled
    from booper.settings import Delivery

log = structlog.get_logger()

KEPT = 64  # compiled notifications
_decode = msgspec.json.Decoder(Content).decode
_DELETED = Outcome(Kind.FAILED, 0, "the device was deleted")


class Instance(Actor):
    """Takes Send, answers Status."""

    def __init__(
        self, label: str, kind: str, codec: Codec, ports: Ports, delivery: Delivery
    ) -> None:
        self._label = label
        self._kind = kind
        self._codec = codec
        self._ports = ports
        self._delivery = delivery
        self._state = State.READY
        self._access: AccessToken | None = None
        self._compiled: OrderedDict[int, tuple[AccessToken, Compiled | Outcome]] = OrderedDict()
        self._pool = ports.transport.pool(codec.endpoint)
        self._in_hand = 0
        self._idle = trio.Event()
        self._accepted = 0
        self._failed = 0
        self._last_error = ""

    async def init(self) -> None:
        self.nursery.start_soon(self._pool.run)

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        match message:
            case Status():
                return Standing(
                    self._label,
                    self._kind,
                    self._state.value,
                    self._accepted,
                    self._failed,
                    self._in_hand,
                    self._last_error,
                )
            case _:
                await super().handle_call(message, reply)
                return LATER

    async def handle_cast(self, message: Cast) -> None:
        match message:
            case Send(batch):
                self._in_hand += 1
                self.nursery.start_soon(self._deliver, batch)
            case _:
                await super().handle_cast(message)

    async def terminate(self, reason: str) -> None:
        """A polite end settles what is in flight first; the supervisor bounds how long."""
        self._step(Event.STOP)
        if reason == NORMAL:
            while self._in_hand:
                self._idle = trio.Event()
                await self._idle.wait()
            await self._pool.aclose()

    async def _deliver(self, batch: Batch) -> None:
        outcomes = await self._try(batch)
        self._note(outcomes)
        await self._settle(batch, outcomes)
        self._in_hand -= 1
        self._idle.set()
        hint(self.registry, names.DISPATCHER, Settled(batch.number))

    async def _try(self, batch: Batch) -> list[Outcome]:
        """One outcome per target; a credential that just ran out is renewed and tried once more."""
        now = self._ports.clock.wall()
        if now > batch.expires_at:
            return [Outcome(Kind.EXPIRED, 0, "its time ran out")] * len(batch.targets)
        access = self._fresh_access(now)
        outcomes = await self._send(batch, access)
        kinds = [outcome.kind for outcome in outcomes]
        if Kind.REFUSED in kinds and self._renew(access, outcomes[kinds.index(Kind.REFUSED)]):
            refused = [i for i, kind in enumerate(kinds) if kind is Kind.REFUSED]
            part = msgspec.structs.replace(batch, targets=tuple(batch.targets[i] for i in refused))
            again = await self._send(part, self._fresh_access(self._ports.clock.wall()))
            for i, outcome in zip(refused, again, strict=True):
                outcomes[i] = outcome
        return outcomes

    async def _send(self, batch: Batch, access: AccessToken) -> list[Outcome]:
        compiled = self._compile(batch, access)
        if isinstance(compiled, Outcome):
            return [compiled] * len(batch.targets)
        targets = [target for target in batch.targets if target.token]
        answers = await self._pool.send(
            compiled.template, compiled.stamps(targets), timeout=self._delivery.send_timeout
        )
        read = self._codec.read
        outcomes = [read(answer) for answer in answers]
        if len(targets) != len(batch.targets):
            found = iter(outcomes)
            outcomes = [next(found) if target.token else _DELETED for target in batch.targets]
        return outcomes

    def _compile(self, batch: Batch, access: AccessToken) -> Compiled | Outcome:
        """The batch's notification made ready: once per notification and access token."""
        kept = self._compiled.get(batch.notification)
        if kept is not None and kept[0] is access:
            self._compiled.move_to_end(batch.notification)
            return kept[1]
        occasion = Occasion(batch.notification_id, batch.created_at)
        compiled = self._codec.compile(_decode(batch.content), occasion, access)
        self._compiled[batch.notification] = (access, compiled)
        if len(self._compiled) > KEPT:
            self._compiled.popitem(last=False)
        return compiled

    def _fresh_access(self, now: float) -> AccessToken:
        if self._access is None or now >= self._access.renew_at or now < self._access.minted_at:
            self._access = self._codec.mint(now)
        return self._access

    def _renew(self, access: AccessToken, refusal: Outcome) -> bool:
        """Whether another token is worth one more try; forgets the refused one."""
        if self._access is not access:
            return True  # somebody renewed it while we waited
        age = self._ports.clock.wall() - access.minted_at
        if not self._codec.renewable(refusal, age):
            return False
        self._access = None
        return True

    def _note(self, outcomes: Sequence[Outcome]) -> None:
        """Keep the figures and the state that a person sees."""
        accepted = [outcome.kind for outcome in outcomes].count(Kind.ACCEPTED)
        failed = len(outcomes) - accepted
        self._accepted += accepted
        self._failed += failed
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

    async def _settle(self, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        """Write what happened. An outage of the store is waited out: the outcome is not forgotten
        as long as this actor lives; should the lease run out meanwhile, the fence keeps us out."""
        pause = 0.1
        while True:
            now = self._ports.clock.wall()
            decided = settle(batch, outcomes, now=now, dice=self._ports.dice.random())
            try:
                (kept,) = await self._ports.database.write(outbox.settle, [decided], now)
            except Unavailable:
                await trio.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                if not kept:
                    log.warning("lease_lost", instance=self._label, batch=batch.number)
                return

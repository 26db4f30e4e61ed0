"""Generation: one credential of an instance in use, with its connections and what was made of it.

Everything that a new credential replaces lives here: codec, connections, access token, compiled
notifications. An instance swaps a whole one for another in one assignment; the old one finishes
what it has in hand and is closed. So nothing of an older one can get into a newer one.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec
import trio

from booper.domain import retry
from booper.domain.content import Content
from booper.domain.errors import NotFound
from booper.domain.outcome import Kind, Outcome, local
from booper.domain.protection import DEFAULT
from booper.domain.receipt import Unasked
from booper.providers.provider import AccessToken, Occasion, ParcelCodec, Resolving
from booper.workers.courier import courier
from booper.workers.turnstile import Turnstile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.access import Resolution
    from booper.domain.delivery import Batch
    from booper.domain.protection import Protection
    from booper.domain.receipt import Heard
    from booper.ports import Ports
    from booper.ports.access import AccessTokens
    from booper.providers.provider import Codec
    from booper.providers.recipes import Recipe
    from booper.settings import Delivery
    from booper.wire import Lost
    from booper.workers.courier import Carry

KEPT = 64  # compiled notifications
FRESH = 60.0  # seconds for which one is used in first tries
FRESH_AGAIN = 1.0  # and in later ones
_decode = msgspec.json.Decoder(Content).decode
_DELETED = local(Outcome(Kind.FAILED, 0, "the device was deleted"))


class Generation:
    """Start `run` in the owner's nursery, then `send` any number of batches, then `drain`."""

    def __init__(
        self,
        number: int,
        codec: Codec,
        ports: Ports,
        delivery: Delivery,
        protection: Protection = DEFAULT,
        label: str = "",
    ) -> None:
        """`number`: later generations of an instance have higher ones. `label`: the instance's."""
        self.number = number
        self._codec = codec
        self._ports = ports
        self._access: AccessToken | None = None
        self._recipe = codec.recipe if isinstance(codec, Resolving) else None
        self._ready: OrderedDict[int, tuple[AccessToken, float, Carry | Outcome]] = OrderedDict()
        self._courier = courier(codec, ports, delivery)
        self._in_hand = 0
        self._idle = trio.Event()
        # Where devices name servers of their own, one of those says nothing of the others.
        many = isinstance(codec, ParcelCodec) and codec.outlet.guarded
        self.turnstile = Turnstile(label, protection, ports, one_provider=not many)

    async def run(self) -> None:
        """Keep the connections until `drain` ends; nothing is opened before something is sent."""
        await self._courier.run()

    async def warm(self, timeout: float) -> Lost | None:
        """None as soon as something could be sent at once; else why there is no connection."""
        return await self._courier.warm(timeout)

    async def drain(self) -> None:
        """Let every `send` under way end, then close the connections. Cancelled, it closes at once.

        What the old credential could still send was sent; a new `send` ends unsent.
        """
        self.turnstile.close()
        while self._in_hand:
            self._idle = trio.Event()
            await self._idle.wait()
        await self._courier.aclose()

    async def send(self, batch: Batch, *, urgent: bool = False) -> list[Outcome]:
        """One outcome per target, in order; a credential that just ran out is renewed and tried
        once more. What may not be sent now is HELD (see `Turnstile.pass_through`)."""
        self._in_hand += 1
        try:
            return await self.turnstile.pass_through(batch, self._send, urgent=urgent)
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.set()

    @property
    def tickets(self) -> bool:
        """Whether what is accepted has a ticket to `ask` about later."""
        return self._courier.tickets

    async def ask(self, tickets: Sequence[str]) -> list[Heard]:
        """What became of pushes that were accepted with these tickets, in order."""
        self._in_hand += 1
        try:
            access = await self._fresh_access(self._ports.clock.wall())
            if isinstance(access, Outcome):
                return [Unasked(access.reason, access.after)] * len(tickets)
            return await self._courier.ask(tickets, access)
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.set()

    async def _send(self, batch: Batch) -> list[Outcome]:
        now = self._ports.clock.wall()
        if now > batch.expires_at:
            return [Outcome(Kind.EXPIRED, 0, "its time ran out")] * len(batch.targets)
        access = await self._fresh_access(now)
        outcomes = await self._once(batch, access)
        kinds = [outcome.kind for outcome in outcomes]
        if Kind.REFUSED not in kinds or isinstance(access, Outcome):
            return outcomes
        if await self._renew(access, outcomes[kinds.index(Kind.REFUSED)]):
            refused = [i for i, kind in enumerate(kinds) if kind is Kind.REFUSED]
            part = msgspec.structs.replace(batch, targets=tuple(batch.targets[i] for i in refused))
            again = await self._once(part, await self._fresh_access(self._ports.clock.wall()))
            for i, outcome in zip(refused, again, strict=True):
                outcomes[i] = outcome
        return outcomes

    async def _once(self, batch: Batch, access: AccessToken | Outcome) -> list[Outcome]:
        carry = access if isinstance(access, Outcome) else self._made_ready(batch, access)
        if isinstance(carry, Outcome):
            return [local(carry)] * len(batch.targets)
        targets = [target for target in batch.targets if target.token]
        outcomes = await carry(targets)
        if len(targets) != len(batch.targets):
            found = iter(outcomes)
            outcomes = [next(found) if target.token else _DELETED for target in batch.targets]
        return outcomes

    def _made_ready(self, batch: Batch, access: AccessToken) -> Carry | Outcome:
        """The batch's notification compiled: once per notification and access token, and anew when
        it has become older, because some providers are told how long it is still good for."""
        now = self._ports.clock.wall()
        if not batch.notification:  # sent by hand: there is nothing it could be shared with
            return self._compiled(batch, access, now)
        kept = self._ready.get(batch.notification)
        lasts = FRESH if batch.attempt <= 1 else FRESH_AGAIN
        if kept is not None and kept[0] is access and abs(now - kept[1]) < lasts:
            self._ready.move_to_end(batch.notification)
            return kept[2]
        carry = self._compiled(batch, access, now)
        self._ready[batch.notification] = (access, now, carry)
        if len(self._ready) > KEPT:
            self._ready.popitem(last=False)
        return carry

    def _compiled(self, batch: Batch, access: AccessToken, now: float) -> Carry | Outcome:
        age = now - batch.created_at
        occasion = Occasion(batch.notification_id, batch.created_at, age)
        return self._courier.ready(_decode(batch.content), occasion, access)

    async def _fresh_access(self, now: float) -> AccessToken | Outcome:
        """The access token to send with, or what becomes of the devices without one."""
        tokens, recipe = self._ports.access, self._recipe
        if recipe is not None and tokens is not None:
            try:
                found = await tokens.acquire(_known(tokens, recipe))
            except NotFound as error:
                return Outcome(Kind.REFUSED, 0, error.detail)
            return found.access or _without(found)
        if self._access is None or now >= self._access.renew_at or now < self._access.minted_at:
            self._access = self._codec.mint(now)
        return self._access

    async def _renew(self, access: AccessToken, refusal: Outcome) -> bool:
        """Whether another token is worth one more try; nobody is given the refused one again."""
        age = self._ports.clock.wall() - access.minted_at
        tokens, recipe = self._ports.access, self._recipe
        if recipe is not None and tokens is not None:
            if not self._codec.renewable(refusal, age):
                return False
            found = await tokens.refresh(_known(tokens, recipe), access.text)
            return found.access is not None
        if self._access is not access:
            return True  # somebody renewed it while we waited
        if not self._codec.renewable(refusal, age):
            return False
        self._access = None
        return True


def _known(tokens: AccessTokens, recipe: Recipe | str) -> Recipe:
    return tokens.named(recipe) if isinstance(recipe, str) else recipe


def _without(found: Resolution) -> Outcome:
    """No access token: the credential's trouble if that was refused, else worth another try."""
    kind = Kind.REFUSED if found.refused else Kind.RETRY
    after = min(max(found.after, 5.0), retry.LONGEST)
    return Outcome(kind, 0, f"no access token: {found.why}"[:200], after=after)

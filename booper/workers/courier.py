"""Courier: carries a compiled notification to the devices of a batch and brings their outcomes.

Two of them, one per kind of codec: stamps go over a pool of HTTP/2 connections, parcels over an
HTTP/1.1 client.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import trio

from booper.domain.delivery import Target
from booper.domain.holds import Holds, origin_of
from booper.domain.outcome import Kind, Outcome, local
from booper.domain.receipt import Heard, Unasked
from booper.precedence import precedence
from booper.providers.provider import Parcel, ParcelCodec, StampCodec
from booper.providers.ticketing import TicketCodec

if TYPE_CHECKING:
    from booper.domain.content import Content
    from booper.ports import Clock, Ports
    from booper.providers.provider import AccessToken, Codec, Compiled, Occasion, Parcels
    from booper.settings import Delivery
    from booper.wire import Answer, Lost

R = TypeVar("R")

# One compiled notification on its way: targets in, one outcome per target out, in order.
Carry = Callable[[Sequence[Target]], Awaitable[list[Outcome]]]

SLICE = 0.01  # seconds of packing after which others may run
SPLITS = 10  # times that a parcel may be replaced by smaller ones
_NO_RECEIPTS = Unasked("this provider has no receipts")
_STUBBORN = Outcome(Kind.RETRY, 0, "the provider wants ever smaller requests", after=60.0)


class Courier(Protocol):
    """Start `run` in the owner's nursery first; nothing is opened before something is sent."""

    def ready(self, content: Content, occasion: Occasion, access: AccessToken) -> Carry | Outcome:
        """The notification ready to be carried, or the outcome of every device if it cannot be."""
        ...

    @property
    def tickets(self) -> bool:
        """Whether what is accepted has a ticket to `ask` about later."""
        ...

    async def ask(self, tickets: Sequence[str], access: AccessToken) -> list[Heard]:
        """What became of the pushes with these tickets, in order."""
        ...

    async def run(self) -> None:
        """Keep the connections until `aclose` ends."""
        ...

    async def warm(self, timeout: float) -> Lost | None:
        """None as soon as something could be sent at once; else why there is no connection."""
        ...

    async def aclose(self) -> None:
        """Let what is in flight end, then close every connection. Cancelled, it closes at once."""
        ...


def courier(codec: Codec, ports: Ports, delivery: Delivery) -> Courier:
    """The courier for that kind of codec."""
    if isinstance(codec, ParcelCodec):
        return ParcelCourier(codec, ports, delivery)
    return StampCourier(codec, ports, delivery)


class StampCourier:
    """Over HTTP/2: one template, one stamp per device."""

    tickets = False

    def __init__(self, codec: StampCodec, ports: Ports, delivery: Delivery) -> None:
        self._codec = codec
        self._pool = ports.transport.pool(codec.endpoint)
        self._timeout = delivery.send_timeout
        self.run = self._pool.run
        self.aclose = self._pool.aclose

    def ready(self, content: Content, occasion: Occasion, access: AccessToken) -> Carry | Outcome:
        compiled = self._codec.compile(content, occasion, access)
        if isinstance(compiled, Outcome):
            return compiled
        return partial(self._carry if compiled.refuse is None else self._carry_some, compiled)

    async def _carry_some(self, compiled: Compiled, targets: Sequence[Target]) -> list[Outcome]:
        """What can be sent to some targets only."""
        refuse = compiled.refuse
        refused = [None if refuse is None else refuse(target) for target in targets]
        pairs = zip(targets, refused, strict=True)
        carried = iter(await self._carry(compiled, [t for t, outcome in pairs if outcome is None]))
        return [local(outcome) if outcome else next(carried) for outcome in refused]

    async def _carry(self, compiled: Compiled, targets: Sequence[Target]) -> list[Outcome]:
        async with precedence().heavy(len(targets)):
            stamps = compiled.stamps(targets)
        answers = await self._pool.send(compiled.template, stamps, timeout=self._timeout)
        read = self._codec.read
        return [read(answer) for answer in answers]

    async def warm(self, timeout: float) -> Lost | None:
        return await self._pool.warm(timeout=timeout)

    async def ask(self, tickets: Sequence[str], access: AccessToken) -> list[Heard]:  # noqa: ARG002
        return [_NO_RECEIPTS] * len(tickets)


class ParcelCourier:
    """Over HTTP/1.1: whole requests, each for one device or for many."""

    def __init__(self, codec: ParcelCodec, ports: Ports, delivery: Delivery) -> None:
        self._codec = codec
        self._client = ports.transport.client(codec.outlet)
        self._clock: Clock = ports.clock
        self._timeout = delivery.send_timeout
        self._ports = ports
        # Where devices name the servers, one that is slow or has enough must not hold the others.
        self._holds = Holds() if codec.outlet.guarded else None
        self.tickets = isinstance(codec, TicketCodec)
        self.run = self._client.run
        self.aclose = self._client.aclose

    def ready(self, content: Content, occasion: Occasion, access: AccessToken) -> Carry | Outcome:
        parcels = self._codec.compile(content, occasion, access)
        return parcels if isinstance(parcels, Outcome) else partial(self._carry, parcels)

    async def _carry(self, parcels: Parcels, targets: Sequence[Target]) -> list[Outcome]:
        """A codec that forgets a target, or names it twice, is a bug and crashes here."""
        outcomes: dict[int, Outcome] = {}
        load = self._held(await self._pack(parcels, targets, outcomes), outcomes)
        brought = await self._bring(load, parcels.read, _STUBBORN)
        outcomes.update(brought)
        self._learn(load, brought)
        if len(outcomes) != len(targets):
            raise ValueError(f"{len(targets)} targets, {len(outcomes)} outcomes")
        return [outcomes[place] for place in range(len(targets))]

    def _held(self, load: list[Parcel], outcomes: dict[int, Outcome]) -> list[Parcel]:
        """What may go now; the rest gets the outcome that it was not tried."""
        now = self._clock.monotonic()
        if self._holds is None or not self._holds.any(now):
            return load
        held: dict[str, Outcome | None] = {}
        free: list[Parcel] = []
        for parcel in load:
            origin = origin_of(parcel.request.url)
            if origin not in held:
                held[origin] = self._holds.outcome(origin, now, self._ports.dice.random())
            if (outcome := held[origin]) is None:
                free.append(parcel)
            else:
                outcomes.update(dict.fromkeys(parcel.places, outcome))
        return free

    def _learn(self, load: Sequence[Parcel], brought: Mapping[int, Outcome]) -> None:
        """What the answers say about the servers."""
        if self._holds is None:
            return
        found: dict[str, list[Outcome]] = {}
        for parcel in load:
            origin = origin_of(parcel.request.url)
            found.setdefault(origin, []).extend(brought[place] for place in parcel.places)
        for origin, outcomes in found.items():
            self._holds.learn(origin, outcomes, self._clock.monotonic())

    async def warm(self, timeout: float) -> Lost | None:  # noqa: ARG002
        """Its connections are opened by the requests that need them."""
        return None

    async def ask(self, tickets: Sequence[str], access: AccessToken) -> list[Heard]:
        if not isinstance(self._codec, TicketCodec):
            return [_NO_RECEIPTS] * len(tickets)
        receipts = self._codec.receipts(access)
        load = list(receipts.pack(tickets))
        heard: dict[int, Heard] = await self._bring(load, receipts.read, Unasked(_STUBBORN.reason))
        return [heard[place] for place in range(len(tickets))]

    async def _bring(
        self,
        load: Sequence[Parcel],
        read: Callable[[Parcel, Answer], Sequence[R] | Sequence[Parcel]],
        stubborn: R,
    ) -> dict[int, R]:
        """What was read at each place of the load; `stubborn` where parting parcels had no end."""
        found: dict[int, R] = {}
        until = self._clock.monotonic() + self._timeout
        for _ in range(SPLITS):
            if not load:
                break
            left = max(until - self._clock.monotonic(), 0.0)
            answers = await self._client.send([parcel.request for parcel in load], timeout=left)
            smaller: list[Parcel] = []
            for parcel, answer in zip(load, answers, strict=True):
                kept = read(parcel, answer)
                parts = [item for item in kept if isinstance(item, Parcel)]
                if parts:
                    smaller.extend(parts)
                else:
                    results = [item for item in kept if not isinstance(item, Parcel)]
                    found.update(zip(parcel.places, results, strict=True))
            load = smaller
        for parcel in load:
            found.update(dict.fromkeys(parcel.places, stubborn))
        return found

    async def _pack(
        self, parcels: Parcels, targets: Sequence[Target], outcomes: dict[int, Outcome]
    ) -> list[Parcel]:
        """All parcels; packing may mean encryption, so others run in between."""
        load: list[Parcel] = []
        pause = self._clock.monotonic() + SLICE
        for item in parcels.pack(targets):
            if isinstance(item, Parcel):
                load.append(item)
            else:
                outcomes[item.place] = local(item.outcome)
            if self._clock.monotonic() >= pause:
                await trio.lowlevel.checkpoint()
                pause = self._clock.monotonic() + SLICE
        return load

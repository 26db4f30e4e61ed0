"""Trial: one harmless request shows whether a credential is good, before anything depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import trio

from booper.domain.content import Content
from booper.domain.delivery import Batch, Target
from booper.domain.errors import Invalid, Unavailable
from booper.domain.outcome import Kind
from booper.providers import PROVIDERS
from booper.workers.generation import Generation

if TYPE_CHECKING:
    from booper.domain.outcome import Outcome
    from booper.ports import Ports
    from booper.providers.provider import Codec
    from booper.settings import Delivery

_NOTHING = msgspec.json.encode(Content()).decode()


async def tried(provider: str, codec: Codec, ports: Ports, delivery: Delivery) -> Outcome:
    """What the provider says to a push for a device that is nobody's: `judged` tells if it is good.

    Takes at most `send_timeout`, on a connection of its own. Invalid `not_verifiable`: this
    provider judges no credential without a device.
    """
    nobody = PROVIDERS[provider].nobody
    if nobody is None:
        raise Invalid(
            f"A credential for {provider} cannot be tried without a device.",
            code="not_verifiable",
            pointer="/verify",
        )
    now = ports.clock.wall()
    batch = Batch(
        number=0,
        lease="",
        notification=0,
        notification_id=ports.ids.mint(),
        instance="",
        attempt=1,
        content=_NOTHING,
        created_at=now,
        expires_at=now + 60.0,
        targets=(Target(0, nobody, now),),
    )
    generation = Generation(0, codec, ports, delivery)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(generation.run)
        (outcome,) = await generation.send(batch)
        await generation.drain()
    return outcome


def judged(outcome: Outcome) -> bool | None:
    """True: the provider took the credential; False: it refuses it; None: it did not get to it."""
    if outcome.kind is Kind.REFUSED:
        return False
    return None if outcome.kind is Kind.RETRY or outcome.kind is Kind.EXPIRED else True


def insist(outcome: Outcome) -> None:
    """Nothing, if the credential is good. Invalid `credential_refused` in the provider's words, or
    Unavailable `provider_unreachable`."""
    good = judged(outcome)
    if good is False:
        words = outcome.reason or f"status {outcome.status}"
        raise Invalid(
            f"The provider refuses this credential: {words}.",
            code="credential_refused",
            pointer="/settings",
        )
    if good is None:
        raise Unavailable(
            f"The provider could not be asked: {outcome.reason}.",
            code="provider_unreachable",
            retry_after=5.0,
        )

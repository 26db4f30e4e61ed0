"""POST …/{name}/push and …/push/batch: one message to device tokens now, with the provider's own
answer. Outside the outbox: nothing is kept, nothing is tried again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from actors import ActorError, CallTimeout, Ref
from booper.domain import retry
from booper.domain.content import Content
from booper.domain.delivery import BATCH_SIZE, Batch, Target
from booper.domain.errors import Invalid, Unavailable
from booper.domain.outcome import Kind, Outcome
from booper.providers import PROVIDERS, provider_named
from booper.workers import names
from booper.workers.instance import refused
from booper.workers.messages import Push

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.api.house import House
    from booper.domain.wanted import Editor, Wanted

Token = Annotated[str, Meta(max_length=4096)]


class One(Content, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said, and to which device."""

    device_token: Token


class Many(Content, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said, and to which devices."""

    device_tokens: Annotated[list[Token], Meta(min_length=1, max_length=BATCH_SIZE)]


class Answered(msgspec.Struct, frozen=True):
    """The provider's answer; `outcome` is what Booper makes of it. `retry_after`, in seconds: it
    may be tried again then. `maybe_sent`: no answer came, it may have arrived."""

    outcome: str
    status: int
    reason: str
    retry_after: float | None
    maybe_sent: bool
    provider_id: str


class Results(msgspec.Struct, frozen=True):
    """One result per device token, in order."""

    results: list[Answered]


async def push(house: House, editor: Editor, name: str, body: One) -> Answered:
    """Send one message to one device now, and answer with what the provider says."""
    wanted = await house.registrar.find(editor, name)
    content = _content(body)
    token = PROVIDERS[wanted.provider].device_token(body.device_token)
    (outcome,) = await _send(house, wanted, [token], content)
    return _shown(outcome)


async def batch(house: House, editor: Editor, name: str, body: Many) -> Results:
    """Send one message to many devices now; a device token that is none fails alone."""
    wanted = await house.registrar.find(editor, name)
    content = _content(body)
    found = [_spelled(wanted, token) for token in body.device_tokens]
    good = [one for one in found if isinstance(one, str)]
    outcomes = iter(await _send(house, wanted, good, content))
    results = [next(outcomes) if isinstance(one, str) else one for one in found]
    return Results([_shown(outcome) for outcome in results])


async def _send(
    house: House, wanted: Wanted, tokens: Sequence[str], content: Content
) -> list[Outcome]:
    """One outcome per token, in order. Conflict: it takes nothing now; Unavailable: it is not there
    for a moment."""
    if not wanted.sends:
        raise refused(wanted)
    if not tokens:
        return []
    now = house.ports.clock.wall()
    whole = Batch(
        number=0,
        lease="",
        notification=0,
        notification_id=house.ports.ids.mint(),
        instance=wanted.key,
        attempt=1,
        content=msgspec.json.encode(content).decode(),
        created_at=now,
        expires_at=retry.deadline(now, content.ttl),
        targets=tuple(Target(n + 1, token, now) for n, token in enumerate(tokens)),
    )
    ref = Ref(house.registry, names.instance(wanted.key))
    try:
        return await ref.call(Push(whole), 3 * house.settings.delivery.send_timeout)
    except CallTimeout:
        return [Outcome(Kind.RETRY, 0, "deadline", maybe_sent=True)] * len(tokens)
    except ActorError:
        raise Unavailable(
            f"The instance {wanted.name!r} does not run now.", code="instance_not_running"
        ) from None


def _content(body: Content) -> Content:
    fields: dict[str, Any] = {name: getattr(body, name) for name in Content.__struct_fields__}
    content = Content(**fields).checked()
    for provider in content.raw:
        provider_named(provider, "/raw")
    return content


def _spelled(wanted: Wanted, token: str) -> str | Outcome:
    try:
        return PROVIDERS[wanted.provider].device_token(token)
    except Invalid as error:
        return Outcome(Kind.FAILED, 0, error.code)


def _shown(outcome: Outcome) -> Answered:
    return Answered(
        outcome.kind.value,
        outcome.status,
        outcome.reason,
        outcome.after if outcome.kind is Kind.RETRY else None,
        outcome.maybe_sent,
        outcome.provider_id,
    )

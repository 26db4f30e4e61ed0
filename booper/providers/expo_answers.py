"""Expo's answers → outcomes: the error → action table as data.

Source: Expo, "Send notifications with the Expo Push Service", Errors; the same words stand in
tickets and in receipts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from booper.domain.outcome import Kind, Outcome
from booper.providers.body import decoded
from booper.providers.lost import lost
from booper.providers.retry_after import retry_after
from booper.wire import Answer, Lost, Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

MINUTE = 60.0

# `details.error` of a ticket or a receipt.
TICKETS: dict[str, tuple[Kind, float]] = {
    "DeviceNotRegistered": (Kind.GONE, 0.0),
    "MessageTooBig": (Kind.FAILED, 0.0),
    "MessageRateExceeded": (Kind.RETRY, MINUTE),  # this device, not the project
    "InvalidCredentials": (Kind.REFUSED, MINUTE),
    "MismatchSenderId": (Kind.REFUSED, MINUTE),
    "DeveloperError": (Kind.REFUSED, MINUTE),
    "ExpoError": (Kind.RETRY, 10.0),
    "ProviderError": (Kind.RETRY, 10.0),
}
# `errors[].code` of a request that was refused as a whole; None: send it in smaller parts.
REQUESTS: dict[str, tuple[Kind, float] | None] = {
    "PUSH_TOO_MANY_EXPERIENCE_IDS": None,
    "PUSH_TOO_MANY_NOTIFICATIONS": None,
    "PUSH_TOO_MANY_RECEIPTS": None,
    "TOO_MANY_REQUESTS": (Kind.RETRY, 1.0),
    "UNAUTHORIZED": (Kind.REFUSED, MINUTE),
}
UNREADABLE = Outcome(Kind.RETRY, 200, "unreadable answer", after=MINUTE, maybe_sent=True)


class Split(msgspec.Struct, frozen=True):
    """Send it in these parts instead: indexes into what was sent, each part smaller than it."""

    parts: tuple[tuple[int, ...], ...]


class Word(msgspec.Struct, frozen=True):
    """A ticket or a receipt."""

    status: str = ""
    id: str = ""
    message: str | None = None
    details: Any = None

    @property
    def good(self) -> bool:
        return self.status == "ok"

    def fault(self) -> Outcome:
        """What an error in it means."""
        error = self.details.get("error") if isinstance(self.details, dict) else None
        word = error if isinstance(error, str) else ""
        kind, after = TICKETS.get(word, (Kind.FAILED, 0.0))
        return Outcome(kind, 200, (word or self.message or "no reason given")[:100], after)


class Error(msgspec.Struct, frozen=True):
    """What is wrong with a request as a whole."""

    code: str = ""
    message: str = ""
    details: Any = None


class _Tickets(msgspec.Struct):
    data: list[Word] | Word | None = None
    errors: list[Error] | None = None


class _Refusal(msgspec.Struct):
    errors: list[Error] = []


_tickets = msgspec.json.Decoder(_Tickets)
_refusal = msgspec.json.Decoder(_Refusal)


def read(tokens: Sequence[str], answer: Answer) -> list[Outcome] | Split:
    """One outcome per recipient, in order, or the parts to send instead. Never raises."""
    if isinstance(answer, Lost):
        return [lost(answer)] * len(tokens)
    if answer.status != 200:
        return _refused(tokens, answer)
    said = decoded(_tickets, answer.body)
    if said is None:
        return [UNREADABLE] * len(tokens)
    if said.errors:
        reason = (said.errors[0].code or said.errors[0].message or "errors")[:100]
        return [msgspec.structs.replace(UNREADABLE, reason=reason)] * len(tokens)
    tickets = [said.data] if isinstance(said.data, Word) else said.data or []
    if len(tickets) != len(tokens):
        reason = f"{len(tickets)} tickets for {len(tokens)} recipients"
        return [msgspec.structs.replace(UNREADABLE, reason=reason)] * len(tokens)
    return [
        Outcome(Kind.ACCEPTED, 200, provider_id=ticket.id[:200]) if ticket.good else ticket.fault()
        for ticket in tickets
    ]


def whole(answer: Reply) -> tuple[Error, Outcome | None]:
    """What an answer other than 200 says of the whole request; None: it is too large."""
    status = answer.status
    said = decoded(_refusal, answer.body) or _Refusal()
    error = said.errors[0] if said.errors else Error()
    reason = (error.code or f"HTTP {status}")[:100]
    action = REQUESTS[error.code] if error.code in REQUESTS else _by_status(status)
    if action is None:
        return error, None
    kind, after = action
    if kind is Kind.RETRY:
        # A gateway that lost the answer to what stands behind it: 502, 504; 500 tells nothing.
        maybe = status >= 500 and status != 503
        return error, Outcome(kind, status, reason, retry_after(answer, after), maybe_sent=maybe)
    return error, Outcome(kind, status, reason, after)


def _by_status(status: int) -> tuple[Kind, float] | None:
    if status in (401, 403):
        return Kind.REFUSED, MINUTE
    if status == 413:
        return None
    if status == 429 or status >= 500:
        return Kind.RETRY, 1.0
    return (Kind.RETRY, MINUTE) if status < 400 else (Kind.FAILED, 0.0)


def _refused(tokens: Sequence[str], answer: Reply) -> list[Outcome] | Split:
    error, outcome = whole(answer)
    if outcome is not None:
        return [outcome] * len(tokens)
    if len(tokens) == 1:
        reason = (error.code or f"HTTP {answer.status}")[:100]
        return [Outcome(Kind.FAILED, answer.status, reason)]
    return _by_project(tokens, error.details) or halves(len(tokens))


def halves(count: int) -> Split:
    """Two parts of `count` (2 or more)."""
    middle = count // 2
    return Split((tuple(range(middle)), tuple(range(middle, count))))


def _by_project(tokens: Sequence[str], details: Any) -> Split | None:
    """The parts as `details` (project → device tokens) has them; None if that parts nothing.

    A device that it does not name goes with the others that it does not name.
    """
    if not isinstance(details, dict):
        return None
    owner = {
        token: project
        for project, owned in details.items()
        if isinstance(owned, list)
        for token in owned
        if isinstance(token, str)
    }
    parts: dict[str | None, list[int]] = {}
    for place, token in enumerate(tokens):
        parts.setdefault(owner.get(token), []).append(place)
    return Split(tuple(map(tuple, parts.values()))) if len(parts) > 1 else None

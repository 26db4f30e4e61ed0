"""Receipt: what a provider says later of a push it accepted, and when it is asked.

Some providers (Expo) answer with a ticket, which only says that they took the message; what became
of it they tell whoever asks, for a day. Pure: times are Unix seconds, handed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.domain import retry
from booper.domain.brake import Alarm, Drop
from booper.domain.outcome import Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

HORIZON = 86_400.0  # seconds after which a receipt is no longer kept by anybody
# Seconds after acceptance at which it is asked for; the last one just before it is cleared.
ASKS = (900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 57_600.0, 84_600.0)
_SOONEST = 60.0
_LONGEST = 3600.0


class Ticket(msgspec.Struct, frozen=True, gc=False):
    """A push whose receipt is awaited: whose it is, and when the provider accepted it. `attempt`:
    at which try; `expires_at`: when its notification's time runs out."""

    notification: int
    device: int
    id: str
    accepted_at: float
    registered_at: float = 0.0
    attempt: int = 1
    expires_at: float = 0.0


class Missing(msgspec.Struct, frozen=True):
    """Asked and answered: there is no receipt yet."""


class Unasked(msgspec.Struct, frozen=True):
    """The question itself failed, in the provider's words; ask again, `after` seconds at least."""

    reason: str
    after: float = 0.0


Heard = Outcome | Missing | Unasked
MISSING = Missing()


class Late(msgspec.Struct, frozen=True):
    """The final word on a ticket; `gone`: its device is to be marked as gone."""

    ticket: Ticket
    outcome: Outcome
    gone: bool = False


class Resend(msgspec.Struct, frozen=True):
    """A push that was accepted and came to nothing, and may be tried again at `due_at`."""

    ticket: Ticket
    outcome: Outcome
    due_at: float

    @property
    def failed(self) -> Late:
        """What it ends as where nothing is to be sent any more."""
        return _failed(self.ticket, self.outcome)


class Verdict(msgspec.Struct, frozen=True):
    """What one round of questions means: the last words, (ticket, when to ask again), and what is
    to be sent again.

    `alarm`: so many devices are called dead that the brake goes on.
    """

    final: tuple[Late, ...]
    later: tuple[tuple[Ticket, float], ...]
    alarm: Alarm | None = None
    again: tuple[Resend, ...] = ()

    @property
    def drops(self) -> tuple[Drop, ...]:
        """The devices that are called dead."""
        return tuple(
            Drop(late.ticket.device, late.ticket.notification, late.outcome.reason)
            for late in self.final
            if late.gone
        )


def first_ask(accepted_at: float) -> float:
    """When a receipt is asked for the first time."""
    return accepted_at + ASKS[0]


def judge(tickets: Sequence[Ticket], heard: Sequence[Heard], *, now: float, dice: float) -> Verdict:
    """What was heard of each ticket, in order, as what follows from it."""
    final: list[Late] = []
    later: list[tuple[Ticket, float]] = []
    again: list[Resend] = []
    for ticket, said in zip(tickets, heard, strict=True):
        if isinstance(said, Outcome) and said.kind is Kind.RETRY:
            word = _another(ticket, said, now, dice)
            again.append(word) if isinstance(word, Resend) else final.append(word)
        elif isinstance(said, Outcome):
            final.append(_final(ticket, said))
        elif (due := _next(ticket, said, now, dice)) is not None:
            later.append((ticket, due))
        else:
            reason = said.reason if isinstance(said, Unasked) else "no receipt within a day"
            final.append(Late(ticket, Outcome(Kind.UNKNOWN, 0, reason)))
    return Verdict(tuple(final), tuple(later), again=tuple(again))


def _another(ticket: Ticket, said: Outcome, now: float, dice: float) -> Resend | Late:
    """Another try as after any other answer that asks for one, or the end of its time."""
    due = now + retry.delay(max(ticket.attempt, 1), said.after, dice)
    if ticket.attempt >= retry.BUDGET or due > ticket.expires_at:
        return Late(ticket, Outcome(Kind.EXPIRED, 0, said.reason))
    return Resend(ticket, said, due)


def _final(ticket: Ticket, said: Outcome) -> Late:
    """A device that was registered anew since is kept."""
    if said.kind is Kind.GONE and ticket.registered_at <= ticket.accepted_at:
        return Late(ticket, said, gone=True)
    if said.kind is Kind.DELIVERED:
        return Late(ticket, said)
    return _failed(ticket, said)


def _failed(ticket: Ticket, said: Outcome) -> Late:
    return Late(ticket, Outcome(Kind.FAILED, said.status, said.reason))


def _next(ticket: Ticket, said: Missing | Unasked, now: float, dice: float) -> float | None:
    """When to ask again; None: never."""
    end = ticket.accepted_at + HORIZON
    age = now - ticket.accepted_at
    if now >= end:
        return None
    if isinstance(said, Unasked):
        # The older the push, the longer the pause: some forty questions in a day at most.
        pause = min(max(age / 8.0, said.after, _SOONEST), _LONGEST)
        return min(now + pause * (1.0 + dice / 10.0), end)
    return next((ticket.accepted_at + ask for ask in ASKS if ask > age), None)

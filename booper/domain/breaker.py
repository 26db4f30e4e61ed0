"""Breaker: whether an instance may try its provider now.

It opens when the provider fails some times in a row, or refuses the credential. Then nothing is
tried, and no device loses a try, until a pause is over; then exactly one probe decides. Only
whether the provider answers counts here: a dead device or a bad message is an answer.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from booper.domain.machine import Machine
from booper.domain.outcome import About, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.outcome import Outcome

FAILURES = 5  # batches in a row that only failed
PAUSE = 30.0  # seconds until the probe, after failures
REFUSED_PAUSE = 60.0  # the same after a refused credential: doubles with every probe refused
LONGEST = 3600.0
PROBING = 1.0  # seconds after which to ask again while a probe is under way

_STRANGE = frozenset({About.STRANGER, About.ORIGIN})
_OURS = frozenset({"closed: the pool is closed", "closed: the client is closed", "cancelled"})


class State(Enum):
    """What a breaker lets through."""

    CLOSED = "closed"  # everything
    OPEN = "open"  # nothing
    PROBING = "probing"  # nothing more: the probe is under way


class Event(Enum):
    """What moves it on."""

    WORKED = "worked"
    TRIPPED = "tripped"  # the last failure of a row, any refusal, a failed probe
    PAUSE_OVER = "pause_over"
    PROVED_NOTHING = "proved_nothing"


MACHINE = Machine(
    "breaker",
    {
        State.CLOSED: {Event.WORKED: State.CLOSED, Event.TRIPPED: State.OPEN},
        State.OPEN: {Event.PAUSE_OVER: State.PROBING},
        State.PROBING: {
            Event.WORKED: State.CLOSED,
            Event.TRIPPED: State.OPEN,
            Event.PROVED_NOTHING: State.OPEN,
        },
    },
)


class Verdict(Enum):
    """What the outcomes of one batch say about the provider."""

    WORKED = "worked"  # it answered, whatever it said of devices and messages
    FAILED = "failed"  # nothing but 5xx, or no answer
    REFUSED = "refused"  # it does not take our credential
    NOTHING = "nothing"  # it was not asked


def judge(outcomes: Sequence[Outcome]) -> Verdict:
    """The verdict of one batch: one good answer outweighs any number of failures beside it."""
    found = Verdict.NOTHING
    for outcome in outcomes:
        if outcome.about in _STRANGE:
            continue
        if outcome.kind is Kind.ACCEPTED:
            return Verdict.WORKED
        if outcome.local:
            continue
        if outcome.kind is Kind.REFUSED:
            found = Verdict.REFUSED
        elif found is not Verdict.REFUSED:
            if 0 < outcome.status < 500:
                found = Verdict.WORKED
            elif outcome.kind is Kind.RETRY and found is Verdict.NOTHING and not _closed(outcome):
                found = Verdict.FAILED
    return found


def _closed(outcome: Outcome) -> bool:
    """Whether it was not sent because we closed the connection ourselves."""
    return not outcome.status and outcome.reason in _OURS


class Ticket(NamedTuple):
    """The right to try once. A `probe` is for one device; `era` tells late results from new."""

    era: int
    probe: bool


class Breaker:
    """One instance's. Times are monotonic seconds; `dice` in [0, 1) spreads the probes."""

    def __init__(self) -> None:
        self.state = State.CLOSED
        self._era = 0
        self._failures = 0
        self._refusals = 0
        self._until = 0.0

    def admit(self, now: float) -> Ticket | None:
        """A ticket, to be handed to `record` once; None: not now, ask again in `wait` seconds."""
        if self.state is State.CLOSED:
            return Ticket(self._era, probe=False)
        if self.state is State.PROBING or now < self._until:
            return None
        self.state = MACHINE.step(self.state, Event.PAUSE_OVER)
        return Ticket(self._era, probe=True)

    def wait(self, now: float) -> float:
        """Seconds until `admit` is worth asking; 0: at once."""
        if self.state is State.CLOSED:
            return 0.0
        return PROBING if self.state is State.PROBING else max(self._until - now, 0.0)

    def record(
        self, ticket: Ticket, verdict: Verdict, *, now: float, dice: float, after: float = 0.0
    ) -> None:
        """What became of a try; results from before the last change of state change nothing.

        `after`: the least number of seconds that a provider which refuses wants to be left alone.
        """
        if ticket.era != self._era:
            return
        if verdict is Verdict.WORKED:
            self._failures = self._refusals = 0
            self._step(Event.WORKED)
        elif verdict is Verdict.REFUSED:
            pause = min(max(REFUSED_PAUSE * 2.0 ** min(self._refusals, 10), after), LONGEST)
            self._refusals += 1
            self._trip(now + pause * (1.0 + dice / 10.0))
        elif verdict is Verdict.FAILED:
            self._failures += 1
            if ticket.probe or self._failures >= FAILURES:
                self._trip(now + PAUSE * (1.0 + dice / 10.0))
        elif ticket.probe:
            self._step(Event.PROVED_NOTHING)

    def reset(self) -> None:
        """Forget everything: another credential, or an operator who knows better."""
        self.state = State.CLOSED
        self._era += 1
        self._failures = self._refusals = 0

    def _trip(self, until: float) -> None:
        self._until = until
        self._step(Event.TRIPPED)

    def _step(self, event: Event) -> None:
        before, self.state = self.state, MACHINE.step(self.state, event)
        if self.state is not before:
            self._era += 1

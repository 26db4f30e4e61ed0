"""Brake: a wave of dead devices is not believed at once.

A device that a provider calls dead is dropped. But where many die at once, an operator's mistake
is likelier than so many deaths: a key of another app, sandbox for production. Then the drops are
quarantined: nothing is sent to them, and an operator confirms or undoes them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from booper.domain.outcome import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.delivery import Batch, Settlement
    from booper.domain.outcome import Outcome
    from booper.domain.protection import Protection

SLOTS = 60  # parts of the window that are forgotten one by one
REMEMBERED = 1000  # drops from just before the alarm that are quarantined with those after it
SUSPECTS_SHARE = 0.2  # more of a batch, and at least two: it is the message, not the devices


class Drop(NamedTuple):
    """A device (its row number) called dead at a notification (its row number), and why."""

    device: int
    notification: int
    reason: str


class Alarm(NamedTuple):
    """Why the brake went on: how many of how many died, and those dropped just before.

    `mixed_up`: most are addresses that do not fit this instance (its environment, app, project),
    so sending on would only burn the rest: it is paused as well.
    """

    dead: int
    judged: int
    mixed_up: bool
    before: tuple[Drop, ...]


class Brake:
    """One instance's memory of a window; times are monotonic seconds."""

    def __init__(self, protection: Protection) -> None:
        self._share = protection.brake_share
        self._minimum = protection.brake_minimum
        self._window = protection.brake_window
        self._slots: deque[list[float]] = deque()  # [began, judged, dead, misfits]
        self._drops: deque[tuple[float, Drop]] = deque(maxlen=REMEMBERED)

    def check(
        self, batch: Batch, outcomes: Sequence[Outcome], done: Settlement, now: float
    ) -> Alarm | None:
        """Count one batch and what it was settled to; an alarm if that is one death too many.

        After an alarm the window begins anew: whether the brake is still on, the rows say.
        """
        gone = set(done.gone)
        pairs = zip(batch.targets, outcomes, strict=True) if gone else ()
        misfits = sum(misfit(outcome) for target, outcome in pairs if target.device in gone)
        reasons = done.reasons() if gone else {}
        drops = [Drop(device, batch.notification, reasons[device]) for device in done.gone]
        return self.weigh(done.counts().total(), drops, now, misfits)

    def weigh(
        self, judged: int, drops: Sequence[Drop], now: float, misfits: int = 0
    ) -> Alarm | None:
        """The same for `judged` devices that were told of at once, of which these were called dead,
        and `misfits` of these because their addresses are not this instance's."""
        slot = self._slot(now)
        slot[1] += judged
        if not drops:
            return None
        slot[2] += len(drops)
        slot[3] += misfits
        total, dead, foreign = (int(sum(slot[i] for slot in self._slots)) for i in (1, 2, 3))
        if dead >= self._minimum and dead > self._share * total:
            before = tuple(drop for at, drop in self._drops if at > now - self._window)
            self._slots.clear()
            self._drops.clear()
            return Alarm(dead, total, foreign * 2 > dead, before)
        self._drops.extend((now, drop) for drop in drops)
        return None

    def _slot(self, now: float) -> list[float]:
        slots = self._slots
        while slots and slots[0][0] <= now - self._window:
            slots.popleft()
        if not slots or now - slots[-1][0] >= self._window / SLOTS:
            slots.append([now, 0, 0, 0])
        return slots[-1]


def misfit(outcome: Outcome) -> bool:
    """Whether a device was called dead because its address is not one of this instance's.

    A device that left is 404 or 410 at every provider; a foreign one is 400 or 403.
    """
    return outcome.kind is Kind.GONE and outcome.status in (400, 403)


def suspects(batch: Batch, outcomes: Sequence[Outcome]) -> tuple[int, ...]:
    """The devices of which an answer says that either they or the message are wrong.

    Many at once speak against the message. One alone proves nothing yet: only a second, at
    another notification, has the device quarantined.
    """
    pairs = zip(batch.targets, outcomes, strict=True)
    found = tuple(target.device for target, outcome in pairs if outcome.suspect)
    many = len(found) > 1 and len(found) > SUSPECTS_SHARE * len(outcomes)
    return () if many else found

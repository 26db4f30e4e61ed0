"""Absence: a device at whose address nobody listens, for how long, and when it is given up.

A UnifiedPush topic without a subscriber is not dead: the phone may be off. Its messages are tried
by the hour; only when it was never there for a day, over one notification or many, is it dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.outcome import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.domain.delivery import Batch, Target
    from booper.domain.outcome import Outcome

DAY = 86_400.0  # seconds of absence after which a device is given up
GAP = 7 * DAY  # seconds without a try after which the count begins anew: who knows what was between


class Absence(NamedTuple):
    """When nobody was found listening for the first time without a break, and for the last."""

    since: float
    last: float


def missed(batch: Batch, outcomes: Sequence[Outcome]) -> list[int]:
    """The devices (row numbers) at which nobody listened at this try."""
    pairs = zip(batch.targets, outcomes, strict=True)
    return [target.device for target, outcome in pairs if outcome.listening is False]


def given_up(
    batch: Batch, outcomes: Sequence[Outcome], known: Mapping[int, Absence], now: float
) -> list[Outcome]:
    """The same outcomes; a device that was `known` to be absent for a day by now is GONE."""
    found = list(outcomes)
    for place, (target, outcome) in enumerate(zip(batch.targets, outcomes, strict=True)):
        if outcome.listening is False and _long(known.get(target.device), target, now):
            reason = f"nobody has listened for a day: {outcome.reason}"
            found[place] = msgspec.structs.replace(outcome, kind=Kind.GONE, after=0, reason=reason)
    return found


def _long(absence: Absence | None, target: Target, now: float) -> bool:
    if absence is None or absence.since < target.registered_at or absence.last < now - GAP:
        return False
    return now - absence.since >= DAY

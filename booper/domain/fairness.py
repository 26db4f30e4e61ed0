"""Fairness: whose batches an instance is handed next. No million delays another's single push.

Each waiting batch stands in a line: urgent lines come first, then every tenant's own, which take
turns. A part of an instance's hand is always kept for whoever has little in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_URGENT = -(2**62)  # added to a line's number: below it the plan's priority lane begins
RESERVE = 4  # one in so many places of a hand is out of a single line's reach


def line(tenant: int, *, urgent: bool = False) -> int:
    """The number of a tenant's line; `tenant` in ±2⁶¹. Lower numbers of urgent ones come first."""
    return tenant + _URGENT if urgent else tenant


def line_of(app: int | None, channel: int | None, *, urgent: bool) -> int:
    """Where a notification's batches stand: an app's (its row number) in the line of the app, the
    public's in that of their channel."""
    return line(-app if app is not None else channel or 0, urgent=urgent)


def is_urgent(number: int) -> bool:
    """Whether that line stands before all ordinary ones."""
    return number < _URGENT // 2


class Hand(NamedTuple):
    """What an instance can take: `room` more batches; `held`: line → batches of it in hand;
    `last`: the line that was served last."""

    room: int
    held: Mapping[int, int]
    last: int


def ahead(line: int, hand: Hand) -> bool:
    """Whether a batch of that line may be handed over before whoever waits in other lines: there is
    room, and the line holds less than the part that is kept for such."""
    size = hand.room + sum(hand.held.values())
    return hand.room > 0 and hand.held.get(line, 0) < max(size // RESERVE, 1)


def turns(waiting: Sequence[int], hand: Hand) -> dict[int, int]:
    """Line → how many batches of it at most, in the order of service, for the lines that wait.

    Urgent lines are served first; within a lane lines take turns, beginning behind the last one.
    No line may fill a whole hand of RESERVE places or more.
    """
    size = hand.room + sum(hand.held.values())
    cap = size - size // RESERVE
    given: dict[int, int] = {}
    room = hand.room
    for lane in (True, False):
        lines = sorted(number for number in waiting if is_urgent(number) is lane)
        after = [number for number in lines if number > hand.last]
        queue = after + [number for number in lines if number <= hand.last]
        while room > 0 and queue:
            queue = [n for n in queue if given.get(n, 0) + hand.held.get(n, 0) < cap]
            for number in queue[:room]:
                given[number] = given.get(number, 0) + 1
            room -= min(room, len(queue))
    return given

"""Holds: servers that want to be left alone, or do not answer, where devices name the servers.

Web Push and UnifiedPush endpoints lie at many servers. One that says 429 for all that goes there,
or lets every request run out of time, is not asked for a while; the others go on.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from booper.domain.outcome import About, Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 1000  # servers remembered; anybody may name new ones
SILENT = 3  # times in a row that nothing was answered, before it is held
PAUSE = 30.0  # seconds; the first request after that is the probe
LONGEST = 3600.0


class Holds:
    """One owner's memory of servers; times are monotonic seconds."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()
        self._silent: OrderedDict[str, int] = OrderedDict()
        self._last = 0.0

    def any(self, now: float) -> bool:
        """Whether it is worth asking about one."""
        return now < self._last

    def outcome(self, origin: str, now: float, dice: float) -> Outcome | None:
        """The outcome of what goes there now, untried; None: it may go. `dice` in [0, 1) spreads
        those that come back."""
        left = self._until.get(origin, now) - now
        if left <= 0:
            self._until.pop(origin, None)
            return None
        after = min(left * (1.0 + dice / 10.0), LONGEST)
        return Outcome(Kind.HELD, 0, "this push service wants a pause", after=after, local=True)

    def learn(self, origin: str, outcomes: Sequence[Outcome], now: float) -> None:
        """What a server answered to some requests that went there together."""
        asked = [o.after for o in outcomes if o.about is About.ORIGIN]
        if asked:
            self._hold(origin, now + min(max(asked), LONGEST))
        if any(o.status for o in outcomes):
            self._silent.pop(origin, None)
        elif any(o.kind is Kind.RETRY and not o.local for o in outcomes):
            silent = self._silent[origin] = self._silent.get(origin, 0) + 1
            self._silent.move_to_end(origin)
            if silent >= SILENT:
                self._hold(origin, now + PAUSE)
            while len(self._silent) > MOST:
                self._silent.popitem(last=False)

    def _hold(self, origin: str, until: float) -> None:
        self._until[origin] = max(until, self._until.get(origin, until))
        self._until.move_to_end(origin)
        self._last = max(self._last, until)
        while len(self._until) > MOST:
            self._until.popitem(last=False)


def origin_of(url: str) -> str:
    """`https://host:port` of a URL that has a path."""
    return "/".join(url.split("/", 3)[:3])

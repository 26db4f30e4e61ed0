"""What a pool and its connections decide, without doing any of it: plain functions and values."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

import msgspec

from booper.wire import Reply

if TYPE_CHECKING:
    from booper.ports import Dice
    from booper.wire import Answer, Endpoint

PING_ANSWER = 10.0  # seconds a peer has for the answer to a PING
UNKNOWN = 100  # streams per connection until a peer has told (RFC 9113 §6.5.2 advises no less)
SLACK = 0.8  # a smaller pool must carry the recent peak with so much of its streams


class Care(Enum):
    """What a connection needs."""

    NOTHING = auto()
    PING = auto()
    DEAD = auto()
    IDLE = auto()
    OLD = auto()


class Ages(msgspec.Struct):
    """When things last happened on one connection, in seconds of one monotonic clock."""

    heard: float
    used: float
    expires: float
    pinged: float = float("-inf")

    def care(self, endpoint: Endpoint, now: float, open_streams: int) -> tuple[Care, float]:
        """What is due now, and when to look again if nothing happens meanwhile."""
        patience = min(PING_ANSWER, endpoint.ping_interval)
        unanswered = self.pinged > self.heard
        silent = self.pinged + patience if unanswered else self.heard + endpoint.ping_interval
        idle = float("inf") if open_streams else self.used + endpoint.idle_timeout
        after = min(silent, idle, self.expires)
        if now >= silent:
            return (Care.DEAD if unanswered else Care.PING), after
        if now >= idle:
            return Care.IDLE, after
        if now >= self.expires:
            return Care.OLD, after
        return Care.NOTHING, after


def lifetime(max_age: float, dice: Dice) -> float:
    """How long a new connection may live: 90 to 110 % of `max_age`, so that not all end at once."""
    return max_age * (0.9 + 0.2 * dice.random())


def proves(answer: Answer | None) -> bool:
    """Whether this answer shows that the peer accepted who we are.

    A judgement on the request itself (a dead device, a bad payload) comes after that of the
    sender, so it proves as much as a 200; 401, 403 and 5xx prove nothing.
    """
    return isinstance(answer, Reply) and answer.status < 500 and answer.status not in (401, 403)


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """A pool at one moment. `streams` is what one connection carries, as far as is known."""

    queued: int
    ready: int
    opening: int
    draining: int
    proving: bool
    streams: int
    cap: int


def wanted(load: Load) -> int:
    """How many connections to start opening, when all that are ready are full.

    One until it is known that one works and, where the peer wants a single request first, until
    that is accepted; then as many as the queue fills, never more than the cap. Draining ones do
    not count, but no more of them than the cap are tolerated.
    """
    if not load.queued or load.draining > load.cap:
        return 0
    if not load.ready:
        return 1 - min(load.opening, 1)
    if load.proving:
        return 0
    filled = -(-load.queued // max(load.streams, 1))
    return max(0, min(filled, load.cap - load.ready) - load.opening)


def surplus(peak: int, ready: int, streams: int) -> bool:
    """Whether one connection fewer would have carried the recent peak of requests in flight."""
    return ready > 1 and peak <= (ready - 1) * streams * SLACK

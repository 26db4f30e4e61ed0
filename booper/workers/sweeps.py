"""Sweeps: what the janitor clears away in its own time, one bounded piece after the other.

Each sweep is due every so often; while it finds a full piece it goes on after a short pause, so
that a backlog of any size leaves the store to everybody else in between.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import structlog

from booper.domain.retention import DAY, Terms, terms_of
from booper.store import (
    absences,
    access_codes,
    channels,
    closure,
    confirmations,
    guesses,
    idempotency,
    partitions,
    quarantine,
    quotas,
    retention,
    sessions,
)
from booper.workers import duties

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from booper.ports import Clock, Tx
    from booper.settings import Settings

log = structlog.get_logger()

EVERY = 600.0  # seconds between two looks for what is old
PURGE = 5.0  # and for what deleted notifications and channels left behind
PAUSE = 0.02  # seconds between two pieces
ROWS = 1_000  # of a deleted channel in one piece
MATCH = 2.0  # and for confirmations whose outcome may be there now
CLOSE = 30.0  # and for deleted apps
STEP = 500  # rows of the small tables in one piece
DAYS = 8  # days of quotas that are kept


class Piece(NamedTuple):
    """What one piece of a sweep did: `more`: there may be more, to be had from `after` on."""

    done: int
    more: bool
    after: str | None = None


if TYPE_CHECKING:
    Work = Callable[[Tx, float, str | None], Awaitable[Piece]]
    # The piece, in a transaction in which no other node does that duty; None where one does.
    Alone = Callable[..., Awaitable[Piece | None]]


class Sweep:
    """One kind of clearing away: its lock, its work, how often, and how far it came."""

    def __init__(self, name: str, duty: int, work: Work, every: float = EVERY) -> None:
        self.name = name
        self.duty = duty
        self.work = work
        self.every = every
        self.after: str | None = None
        self.due_at = -math.inf  # monotonic


def sweeps(settings: Settings) -> list[Sweep]:
    """All of them."""
    public = Terms(settings.public.archive_after, settings.public.delete_after)
    old = partial(_old, terms_of(settings.plans), public)
    return [
        Sweep("old_notifications", duties.RETENTION, old),
        Sweep("purged_rows", duties.PURGES, _purge, PURGE),
        Sweep("deleted_channels", duties.CHANNELS, _channels, PURGE),
        Sweep("early_confirmations", duties.CONFIRMATIONS, _confirmations, MATCH),
        Sweep("deleted_apps", duties.CLOSURE, _closure, CLOSE),
        Sweep("partitions", duties.PARTITIONS, _partitions),
        Sweep("expired_sessions", duties.SESSIONS, _sessions),
        Sweep("idempotency_keys", duties.KEYS, _keys),
        Sweep("quotas", duties.QUOTAS, _quotas),
        Sweep("doubts", duties.DOUBTS, _doubts),
        Sweep("absences", duties.DOUBTS, _absences),
        Sweep("access_codes", duties.CODES, _access_codes),
        Sweep("access_guesses", duties.CODES, _access_guesses),
    ]


class Sweeps:
    """The sweeps, each when it is due."""

    def __init__(self, clock: Clock, every: list[Sweep]) -> None:
        self._clock = clock
        self._every = every

    async def step(self, alone: Alone) -> float:
        """One piece of each that is due; the seconds until the next one is. Raises Unavailable."""
        for sweep in self._every:
            if self._clock.monotonic() < sweep.due_at:
                continue
            piece = await alone(sweep.duty, sweep.work, self._clock.wall(), sweep.after)
            done = Piece(0, more=False) if piece is None else piece
            sweep.after = done.after
            pause = PAUSE if done.more else sweep.every
            sweep.due_at = self._clock.monotonic() + pause
            if done.done:
                log.info("swept", what=sweep.name, rows=done.done)
        return max(min(sweep.due_at for sweep in self._every) - self._clock.monotonic(), 0.0)


async def _old(
    plans: Mapping[str, Terms], public: Terms, tx: Tx, now: float, after: str | None
) -> Piece:
    done = await retention.sweep(tx, plans, public, after, now)
    return Piece(done.archived + done.deleted, done.more, done.after)


async def _purge(tx: Tx, now: float, _: str | None) -> Piece:
    rows = await retention.purge(tx, now)
    return Piece(rows, rows >= retention.DELIVERIES)


async def _channels(tx: Tx, _now: float, _: str | None) -> Piece:
    rows = await channels.sweep(tx, ROWS)
    return Piece(rows, rows > 0)


async def _confirmations(tx: Tx, _now: float, _: str | None) -> Piece:
    return _full(await confirmations.match(tx, STEP))


async def _closure(tx: Tx, now: float, after: str | None) -> Piece:
    return Piece(*await closure.step(tx, now, after))


async def _partitions(tx: Tx, now: float, _: str | None) -> Piece:
    return Piece(await partitions.tend(tx, now), more=False)


async def _sessions(tx: Tx, now: float, _: str | None) -> Piece:
    return _full(await sessions.sweep(tx, now, STEP))


async def _keys(tx: Tx, now: float, _: str | None) -> Piece:
    return _full(await idempotency.sweep(tx, now - idempotency.LIFE, STEP))


async def _quotas(tx: Tx, now: float, _: str | None) -> Piece:
    return _full(await quotas.sweep(tx, int(now // DAY) - DAYS, STEP))


async def _doubts(tx: Tx, now: float, _: str | None) -> Piece:
    return _full(await quarantine.sweep(tx, now, STEP))


async def _absences(tx: Tx, now: float, _: str | None) -> Piece:
    return _full(await absences.sweep(tx, now, STEP))


async def _access_codes(tx: Tx, now: float, _: str | None) -> Piece:
    return _full(await access_codes.sweep(tx, now, STEP))


async def _access_guesses(tx: Tx, now: float, _: str | None) -> Piece:
    return _full(await guesses.sweep(tx, now, STEP))


def _full(rows: int) -> Piece:
    return Piece(rows, rows >= STEP)

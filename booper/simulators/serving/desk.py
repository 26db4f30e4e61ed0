"""What all connections of one simulator share: its habits, its faults, its books."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from booper.simulators.faults import Faults
    from booper.simulators.ledger import Ledger


class Habits(msgspec.Struct, frozen=True):
    """How the server behaves when nothing is wrong; times in seconds.

    With `faithful_streams` a connection may have one stream until its examiner trusts it, and
    `streams` from then on; without it, `streams` at once.
    `linger` is how long a connection that said GOAWAY and owes nothing waits for the peer to leave.
    """

    streams: int = 1000
    faithful_streams: bool = True
    idle_timeout: float = 3600.0
    linger: float = 5.0
    handshake_timeout: float = 10.0


class Desk:
    """The shared state behind every connection. `now` is the wall clock."""

    habits: Habits

    def __init__(
        self,
        faults: Faults,
        ledger: Ledger,
        habits: Habits,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.faults = faults
        self.ledger = ledger
        self.habits = habits
        self.now = now

"""What all connections of one simulated Apple share: what it knows, does wrong, and wrote down."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from booper.simulators.apns.tokens import UPDATE_INTERVAL, TokenJudge

if TYPE_CHECKING:
    from collections.abc import Callable

    from booper.simulators.apns.account import Account
    from booper.simulators.faults import Faults
    from booper.simulators.ledger import Ledger


class Habits(msgspec.Struct, frozen=True):
    """How the server behaves when nothing is wrong; times in seconds.

    With `faithful_streams` a connection may have one stream until a request brought a good
    provider token, as Apple does it, and `streams` from then on; without it, `streams` at once.
    `linger` is how long a connection that said GOAWAY and owes nothing waits for the peer to leave.
    """

    streams: int = 1000
    faithful_streams: bool = True
    idle_timeout: float = 3600.0
    linger: float = 5.0
    handshake_timeout: float = 10.0
    token_update_interval: float = UPDATE_INTERVAL


class Desk:
    """The shared state behind every connection. `now` is the wall clock, `mint` makes apns-ids."""

    def __init__(
        self,
        account: Account,
        faults: Faults,
        ledger: Ledger,
        habits: Habits,
        now: Callable[[], float] = time.time,
        mint: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        self.account = account
        self.faults = faults
        self.ledger = ledger
        self.habits = habits
        self.now = now
        self.mint = mint
        self.tokens = TokenJudge(account, habits.token_update_interval)

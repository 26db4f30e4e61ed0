"""What all connections of one simulated Apple share, besides what every simulator's do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import uuid4

from booper.simulators.apns.tokens import UPDATE_INTERVAL, TokenJudge
from booper.simulators.serving import desk

if TYPE_CHECKING:
    from collections.abc import Callable

    from booper.simulators.apns.account import Account
    from booper.simulators.faults import Faults
    from booper.simulators.ledger import Ledger


class Habits(desk.Habits, frozen=True):
    """With `faithful_streams` one stream until a good provider token came, as Apple does it."""

    token_update_interval: float = UPDATE_INTERVAL


class Desk(desk.Desk):
    """The shared state behind every connection; `mint` makes apns-ids."""

    def __init__(
        self,
        account: Account,
        faults: Faults,
        ledger: Ledger,
        habits: Habits,
        now: Callable[[], float] = time.time,
        mint: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        super().__init__(faults, ledger, habits, now)
        self.account = account
        self.mint = mint
        self.tokens = TokenJudge(account, habits.token_update_interval)

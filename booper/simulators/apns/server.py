"""The simulated Apple on a socket."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from booper.simulators.apns import certificates
from booper.simulators.apns.account import Account
from booper.simulators.apns.desk import Desk, Habits
from booper.simulators.apns.examiner import ApnsExaminer
from booper.simulators.serving.server import Simulator
from booper.simulators.serving.session import Session

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    import trio

    from booper.simulators.certificates import Authority
    from booper.simulators.faults import Faults
    from booper.simulators.ledger import Ledger


class ApnsSimulator(Simulator):
    """An APNs server for tests, demos and measurements; `account` is what it knows."""

    habits: Habits

    def __init__(
        self,
        account: Account | None = None,
        *,
        faults: Faults | None = None,
        ledger: Ledger | None = None,
        habits: Habits | None = None,
        authority: Authority | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(faults, ledger, habits or Habits(), authority)
        self.account = Account() if account is None else account
        self._desk = Desk(self.account, self.faults, self.ledger, self.habits, now)

    def _context(self) -> ssl.SSLContext:
        """It asks for certificates, and takes those of its own authority."""
        context = super()._context()
        self.authority.welcome(context)
        return context

    def _talk(self, stream: trio.SSLStream[trio.SocketStream], at: float) -> Session:
        """ALPN is offered, not asked for: aioapns sends none."""
        shown = certificates.read(stream.getpeercert(binary_form=True))
        return Session(self._desk, ApnsExaminer(self._desk, shown), at)

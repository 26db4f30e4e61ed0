"""Messages an actor sends itself when their time has come."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

from .errors import MailboxFull

if TYPE_CHECKING:
    from .mailbox import Mailbox
    from .messages import Cast


class Timer:
    """A message an actor will send itself. It dies with the incarnation."""

    __slots__ = ("_mailbox", "_message", "_period", "_scope")

    def __init__(self, mailbox: Mailbox, message: Cast, period: float | None) -> None:
        self._mailbox = mailbox
        self._message = message
        self._period = period
        self._scope = trio.CancelScope()
        mailbox.chores.add(self)

    def cancel(self) -> None:
        """Send no more. A message already in the mailbox stays there. Idempotent."""
        self._scope.cancel()
        self._mailbox.chores.discard(self)

    async def run(self, seconds: float) -> None:
        """Wait `seconds` and send, again and again if there is a period. For Actor only."""
        due = trio.current_time() + seconds
        with self._scope:
            await trio.sleep_until(due)
            while self._period is not None:
                try:
                    self._mailbox.put_own(self._message, bounded=True)
                except MailboxFull:
                    self._mailbox.skipped_ticks += 1
                # By the plan, not by the last tick, so that it does not drift; ticks missed
                # altogether are not made up for.
                due += self._period * max(1, math.ceil((trio.current_time() - due) / self._period))
                await trio.sleep_until(due)
            self._mailbox.put_own(self._message, bounded=False)
        self._mailbox.chores.discard(self)

"""The cheapest way for one task to sleep until another has something for it."""

from __future__ import annotations

import trio


class Bell:
    """Rings are remembered, not counted: many rings before the sleeper looks wake it once.

    One sleeper only. `ring` costs a tenth of a trio.Event and makes no object, which is felt
    when every single request rings once.
    """

    __slots__ = ("_rung", "_sleeper")

    def __init__(self) -> None:
        self._rung = False
        self._sleeper: trio.lowlevel.Task | None = None

    def ring(self) -> None:
        """Wake the sleeper in the next scheduler tick, or make its next `wait` short."""
        sleeper = self._sleeper
        if sleeper is not None:
            self._sleeper = None
            trio.lowlevel.reschedule(sleeper)
        else:
            self._rung = True

    async def wait(self) -> None:
        """Return after the next ring, or one not yet heard. Always a checkpoint."""
        if self._rung:
            self._rung = False
            await trio.lowlevel.checkpoint()
            return
        if self._sleeper is not None:
            raise trio.BusyResourceError("another task waits for this bell")
        self._sleeper = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._leave)

    def _leave(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._sleeper = None
        return trio.lowlevel.Abort.SUCCEEDED

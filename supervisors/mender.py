"""What happens when a child ends by itself: forgotten, left alone, or started again.

A restart has two halves. First it is counted, and all whom it concerns are stopped; then, when the
back-off is over, they are started in order. A start that fails is one more restart. Between the
halves, and between two tries, the supervisor is free to do what it is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from supervisors.errors import Escalated, StartCancelled, StartFailed
from supervisors.report import ReportKind
from supervisors.restart import ABNORMAL, Restart, Window, affected, wants_restart
from supervisors.snapshot import State

if TYPE_CHECKING:
    from supervisors.child import Child
    from supervisors.family import Family

# Who is started again beside the child that ended: whoever had to stop for it, and whoever is down
# without an order. A child that was terminated by order stays down.
REVIVED = frozenset({State.RESTARTING, State.STOPPED, State.IGNORED, State.LEAKED})


class Mender:
    """The restarts of one family, and the count that ends them."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.window = Window(family.spec.intensity)
        family.surprised = self.ended

    def ended(self, child: Child) -> None:
        """A running child has ended and nobody had asked it to."""
        family, life = self.family, child.life
        assert life is not None  # noqa: S101
        assert life.ended is not None  # noqa: S101
        assert life.born is not None  # noqa: S101
        how = life.ended.how
        if how in ABNORMAL:
            family.report(ReportKind.CRASH, child, how=how, failure=life.ended.failure)
        backoff = family.spec.backoff
        if backoff and trio.current_time() - life.born >= backoff.steady:
            child.streak = 0
        child.state = State.STOPPED
        if family.stopping:
            return
        if wants_restart(child.spec.restart, how, asked=False):
            self._again(child)
        elif child.spec.restart is Restart.TEMPORARY:
            family.forget(child)

    async def mend(self, child: Child) -> None:
        """Count a restart of `child`, stop all whom it concerns, and start them when it is time."""
        family = self.family
        async with child.lane.lock:
            if child.state is not State.RESTARTING:
                # Another's restart, or an order, was faster; who waited for this one goes on.
                await self._revive(child)
                return
            now = trio.current_time()
            if self.window.add(now):
                self._give_up(child)
                return
            child.restarts += 1
            child.streak += 1
            delay = family.spec.backoff.delay(child.streak) if family.spec.backoff else 0.0
            child.due = now + delay
            family.report(ReportKind.RESTART, child, delay=delay)
            await self._clear(child)
            await self._revive(child)

    def _again(self, child: Child) -> None:
        child.state = State.RESTARTING
        self.family.spawn(self.mend, child)

    def _give_up(self, child: Child) -> None:
        family, intensity = self.family, self.family.spec.intensity
        family.report(ReportKind.GAVE_UP, child)
        family.end(Escalated(family.path, child.id, intensity.restarts, intensity.period))

    async def _clear(self, child: Child) -> None:
        """Stop those whom the restart concerns, last first; they wait to be started again."""
        family = self.family
        order = tuple(family.children)
        for name in reversed(affected(family.spec.strategy, order, child.id)):
            other = family.children.get(name)
            if other is None:
                continue  # forgotten while we waited for another
            if other.alive and other is not child:
                await family.halt(other)
                if other.spec.restart is Restart.TEMPORARY:
                    if other.state is not State.LEAKED:
                        family.forget(other)
                    continue
            if other.state in REVIVED:
                other.state = State.BACKING_OFF

    async def _revive(self, child: Child) -> None:
        """Start those of the lane that wait, in order, or set the timer if it is not yet time."""
        family, lane = self.family, child.lane
        members = [child] if family.parallel else list(family.children.values())
        waiting = [each for each in members if each.state is State.BACKING_OFF]
        due = max((each.due for each in waiting), default=0.0)
        if due > trio.current_time():
            family.spawn(self._wait, child, lane.set_timer(), due)
            return
        for each in waiting:
            if each.state is State.BACKING_OFF and not await self._start(each):
                return

    async def _start(self, child: Child) -> bool:
        """Whether to go on with the next one."""
        family = self.family
        try:
            await family.start(child)
        except StartCancelled:
            return True
        except StartFailed:
            if not family.stopping:
                self._again(child)
            return False
        if child.state is State.IGNORED and child.dynamic:
            family.forget(child)
        return True

    async def _wait(self, child: Child, timer: trio.CancelScope, due: float) -> None:
        with timer:
            await trio.sleep_until(due)
        if not timer.cancelled_caught:
            async with child.lane.lock:
                await self._revive(child)

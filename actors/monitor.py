"""Being told, once, that an actor has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from .errors import ActorDown
from .messages import NOPROC, Down

if TYPE_CHECKING:
    from .mailbox import Mailbox


class Monitor:
    """Watches one incarnation; a restart under the same name is another one.

    Exactly one Down, also if there was nobody to watch (its reason is then NOPROC). With `inbox`
    it is also cast there.
    """

    __slots__ = ("_ended", "_inbox", "_watched", "down")

    def __init__(self, name: str, watched: Mailbox | None, inbox: Mailbox | None = None) -> None:
        self.down: Down | None = None
        self._watched = watched
        self._inbox = inbox
        self._ended = trio.Event()
        if watched is None:
            self._tell(Down(name, NOPROC))
        else:
            watched.monitors[self] = self._tell

    async def wait(self) -> Down:
        """The Down, when it comes. Raises trio.ClosedResourceError after `cancel`."""
        await self._ended.wait()
        if self.down is None:
            raise trio.ClosedResourceError("this monitor was cancelled")
        return self.down

    def cancel(self) -> None:
        """Watch no more; a Down that has come but was not taken yet is taken back. Idempotent."""
        if self._watched is not None:
            self._watched.monitors.pop(self, None)
        if self._inbox is not None and self.down is not None:
            self._inbox.retract(self.down)
        self.down = None
        self._ended.set()

    def _tell(self, down: Down) -> None:
        # A Down of its own for each monitor, so that `cancel` takes back the right one.
        self.down = Down(down.name, down.reason)
        self._ended.set()
        if self._inbox is not None:
            self._inbox.put_own(self.down, bounded=False)


class Link:
    """Ends an actor when another ends abnormally. One way; two of them make OTP's link.

    It lasts as long as the actor serves, and does not keep it from ending.
    """

    __slots__ = ("_holder", "_monitor", "_scope")

    def __init__(self, monitor: Monitor, holder: Mailbox) -> None:
        self._monitor = monitor
        self._holder = holder
        self._scope = trio.CancelScope()
        holder.chores.add(self)

    def cancel(self) -> None:
        """Let the other end as it likes. Idempotent."""
        self._scope.cancel()
        self._monitor.cancel()
        self._holder.chores.discard(self)

    async def run(self) -> None:
        """Raise ActorDown, in the actor's nursery, if the other ends abnormally. For Actor only."""
        with self._scope:
            down = await self._monitor.wait()
            if down.abnormal:
                raise ActorDown(down.name, down.reason)
        self._holder.chores.discard(self)

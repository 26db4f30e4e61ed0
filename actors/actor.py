"""What an actor is: state behind a mailbox, one message at a time. Subclass Actor and override.

The life around it (name, start, serving, end) is in incarnation.py.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from .errors import UnknownMessage
from .messages import LATER
from .monitor import Link, Monitor
from .timer import Timer

if TYPE_CHECKING:
    import trio

    from .mailbox import Mailbox
    from .messages import Call, Cast
    from .ref import Ref
    from .registry import Registry
    from .reply import Reply

log = logging.getLogger("actors")


class Actor:
    """A gen_server. Its attributes are its state; nobody else touches them.

    Set before `init`: `name`, `ref` (its own address, for others), `registry`, and `nursery` for
    its tasks. A handler does not wait for the network: it starts a task there, or answers LATER.
    An exception of a handler or of a task in `nursery` is the end of this incarnation, once.

    Handlers dispatch with `match message:` and pass what they do not know to `super()`.
    """

    name: str
    ref: Ref
    registry: Registry
    nursery: trio.Nursery
    mailbox: Mailbox

    async def init(self) -> None:
        """Get ready; whoever starts the actor waits for this. Raise Ignore to not be started."""

    async def handle_continue(self) -> None:
        """Go on getting ready, before the first message, with nobody waiting for it."""

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        """The answer to `message`, or LATER if `reply` will bring it."""
        self._unknown(message)
        reply.fail(UnknownMessage(self.name, type(message).__name__))
        return LATER

    async def handle_cast(self, message: Cast) -> None:
        """Act on `message`."""
        self._unknown(message)

    async def terminate(self, reason: str) -> None:
        """Clean up. `reason` is as in Down.

        Runs once after a finished `init`, while the tasks of `nursery` still run; after it they
        are waited for if the end is polite, else cancelled. It is shielded from cancellation, and
        bounded: see `actor_worker`.
        """

    def after(self, seconds: float, message: Cast) -> Timer:
        """Cast `message` to itself in `seconds`, even if the mailbox is full then."""
        return self._timer(seconds, message, None)

    def every(self, seconds: float, message: Cast) -> Timer:
        """Cast `message` to itself every `seconds`; a tick that finds it full is skipped."""
        if seconds <= 0:
            raise ValueError(f"a period must be positive, not {seconds}")
        return self._timer(seconds, message, seconds)

    def monitor(self, ref: Ref) -> Monitor:
        """Have the Down of whoever is behind `ref` now cast to itself, exactly once."""
        return Monitor(ref.name, ref.registry.mailboxes.get(ref.name), self.mailbox)

    def link(self, ref: Ref) -> Link:
        """Crash with ActorDown if whoever is behind `ref` now ends abnormally, or is not there."""
        link = Link(ref.monitor(), self.mailbox)
        self.nursery.start_soon(link.run)
        return link

    def stop(self) -> None:
        """End politely: no new senders, what is queued is served, then `terminate`."""
        self.mailbox.shut()

    def _timer(self, seconds: float, message: Cast, period: float | None) -> Timer:
        timer = Timer(self.mailbox, message, period)
        self.nursery.start_soon(timer.run, seconds)
        return timer

    def _unknown(self, message: object) -> None:
        self.mailbox.unknown_messages += 1
        log.warning("%s ignored an unknown %s", self.name, type(message).__name__)

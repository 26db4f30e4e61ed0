"""An actor's address: a name looked up at each send, so it outlives restarts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Generic

import trio

from .deadlock import blocked, refuse_cycle, resident, turn
from .errors import ActorError, CallTimeout, Deadlock, NoActor
from .messages import Call, Cast, Down, R
from .monitor import Monitor
from .reply import Reply

if TYPE_CHECKING:
    from .mailbox import Mailbox, Statistics
    from .registry import Registry


class Ref:
    """Where to send messages for whoever is called `name`. Cheap to make; compares by name."""

    __slots__ = ("_mailboxes", "name", "registry")

    def __init__(self, registry: Registry, name: str) -> None:
        self.registry = registry
        self.name = name
        self._mailboxes = registry.mailboxes

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ref):
            return NotImplemented
        return self.name == other.name and self.registry is other.registry

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Ref({self.name!r})"

    def cast(self, message: Cast) -> None:
        """Send and go on. Never blocks and is no checkpoint; raises NoActor or MailboxFull.

        Not raising means queued, not done: the message is lost if the actor ends before its turn.
        Messages of one sender arrive in the order they were sent.
        """
        mailbox = self._mailboxes.get(self.name)
        if mailbox is None:
            raise NoActor(self.name)
        if mailbox.state and resident.get() is mailbox:
            mailbox.put_own(message, bounded=True)
        else:
            mailbox.put(message)

    async def call(self, message: Call[R], timeout: float = 5.0) -> R:
        """Send and wait for the answer, at most `timeout` seconds (math.inf: for ever).

        Always a checkpoint. Raises NoActor, MailboxFull or Deadlock at once and without having
        sent anything, ActorDown as soon as the actor ends, CallTimeout, or what the actor failed
        the call with. After ActorDown, CallTimeout or a cancellation the message may or may not
        have been acted upon.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            mailbox = self._living()
            caller, parent = blocked(), turn.get()
            if caller is not None or parent is not None:
                refuse_cycle(caller, mailbox, parent)
            reply: Reply[R] = Reply(mailbox, caller, parent)
            mailbox.put(message, reply)
        except ActorError:
            await trio.lowlevel.checkpoint()
            raise
        if caller is None:
            return await reply.wait(timeout)
        return await _wait_blocked(caller, reply, timeout)

    def request(self, message: Call[R]) -> PendingReply[R]:
        """Send now, wait later. Raises NoActor or MailboxFull; any number may be under way."""
        mailbox = self._living()
        reply: Reply[R] = Reply(mailbox, None, turn.get())
        mailbox.put(message, reply)
        return PendingReply(reply)

    def monitor(self) -> Monitor:
        """Be told once when the present incarnation ends, or at once if there is none."""
        return Monitor(self.name, self._mailboxes.get(self.name))

    async def stop(self, timeout: float = math.inf) -> Down:
        """Ask the present incarnation to end politely and wait until it is gone.

        What is queued is served first. Safe to repeat and to do from several tasks; if there is
        nobody, the Down says NOPROC. Raises CallTimeout after `timeout` seconds, with the actor
        still stopping, or Deadlock if it could not end before the caller goes on.
        """
        mailbox = self._mailboxes.get(self.name)
        if mailbox is not None:
            if resident.get() is mailbox:
                # It waits for its tasks before it is gone; from inside there is Actor.stop.
                raise Deadlock((self.name, self.name))
            refuse_cycle(blocked(), mailbox, turn.get())
            mailbox.shut()
        monitor = Monitor(self.name, mailbox)
        with trio.move_on_after(timeout):
            return await monitor.wait()
        monitor.cancel()
        raise CallTimeout(self.name, timeout)

    def statistics(self) -> Statistics | None:
        """The figures of the present incarnation, without disturbing it; None if there is none."""
        mailbox = self._mailboxes.get(self.name)
        return None if mailbox is None else mailbox.statistics()

    def _living(self) -> Mailbox:
        mailbox = self._mailboxes.get(self.name)
        if mailbox is None or mailbox.state:
            raise NoActor(self.name)
        return mailbox


class PendingReply(Generic[R]):
    """An answer under way. Each has its own slot, so answers may come in any order.

    Dropping it costs nothing: no task and no channel waits behind it.
    """

    __slots__ = ("_reply",)

    def __init__(self, reply: Reply[R]) -> None:
        self._reply = reply

    @property
    def answered(self) -> bool:
        """True once `wait` will return or raise without waiting."""
        return self._reply.answered

    async def wait(self, timeout: float = 5.0) -> R:
        """The answer, with the errors of `Ref.call`. A timeout or a cancellation abandons it.

        For one task; once answered it may be read again.
        """
        reply, caller = self._reply, blocked()
        # A deferred answer comes from a task, so its actor may wait for us meanwhile.
        if not (reply.done or reply.deferred):
            refuse_cycle(caller, reply.target, turn.get())
        if caller is None or reply.done:
            return await reply.wait(timeout)
        reply.caller = caller
        return await _wait_blocked(caller, reply, timeout)

    def abandon(self) -> None:
        """Want the answer no more: it is dropped, and counted as late."""
        self._reply.abandon()


async def _wait_blocked(caller: Mailbox, reply: Reply[R], timeout: float) -> R:
    """Wait in a handler, with a note for others on what its actor is blocked."""
    if trio.lowlevel.current_task() is not caller.task:
        return await reply.wait(timeout)
    caller.blocked_on = reply
    try:
        return await reply.wait(timeout)
    finally:
        caller.blocked_on = None

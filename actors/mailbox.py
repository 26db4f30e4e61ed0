"""One incarnation's mailbox. Knows trio and replies, not actors.

A memory channel would do, but three things of it cost us: it cannot fail what is queued when its
reader dies (those callers would hang until their own timeout), its sender side is asynchronous,
and it takes a scheduler step an item. So this is a deque, and a task parked beside it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import Abort, current_task, reschedule, wait_task_rescheduled

from .errors import ActorDown, MailboxFull, NoActor
from .reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from .messages import Call, Cast, Down
    from .monitor import Link
    from .timer import Timer

OPEN, SHUT, DEAF, CLOSED = range(4)


@dataclass(frozen=True, slots=True)
class Statistics:
    """How an incarnation is doing. `age` is in seconds since its name was taken.

    `late_replies` counts answers nobody waited for any more, `unknown_messages` what no handler
    knew, `skipped_ticks` ticks of `every` that found the mailbox full, `dropped_at_end` what the
    actor's own tasks and timers sent it after its last message was served.
    """

    name: str
    incarnation: int
    depth: int
    limit: int
    age: float
    stopping: bool
    served: int
    late_replies: int
    unknown_messages: int
    skipped_ticks: int
    dropped_at_end: int


Envelope = tuple[Any, Reply[Any] | None]
"""A message, and where its answer goes; None for a cast."""


class Mailbox:
    """A bounded queue with one reader, and the identity of one incarnation of an actor.

    OPEN takes from everybody; SHUT only from the actor's own tasks and timers, while what is
    queued is served; DEAF (serving is over) drops those and counts them; CLOSED is the end.
    """

    __slots__ = (
        "_born",
        "_reader",
        "blocked_on",
        "chores",
        "current",
        "dropped_at_end",
        "incarnation",
        "late_replies",
        "limit",
        "monitors",
        "name",
        "nursery",
        "owed",
        "queue",
        "served",
        "skipped_ticks",
        "state",
        "task",
        "unknown_messages",
    )

    def __init__(self, name: str, limit: int, incarnation: int) -> None:
        if limit < 1:
            raise ValueError(f"a mailbox must hold at least one message, not {limit}")
        self.name = name
        self.limit = limit
        self.incarnation = incarnation
        self.queue: deque[Envelope] = deque()
        self.state = OPEN
        self.current: Reply[Any] | None = None
        self.owed: set[Reply[Any]] = set()
        self.blocked_on: Reply[Any] | None = None
        self.task: trio.lowlevel.Task | None = None
        self.nursery: trio.Nursery | None = None
        self.monitors: dict[object, Callable[[Down], None]] = {}
        # What runs beside the actor only while it serves.
        self.chores: set[Timer | Link] = set()
        self.served = 0
        self.late_replies = 0
        self.unknown_messages = 0
        self.skipped_ticks = 0
        self.dropped_at_end = 0
        self._reader: trio.lowlevel.Task | None = None
        self._born = trio.current_time()

    def put(self, message: Call[Any] | Cast, reply: Reply[Any] | None = None) -> None:
        """Queue a message from outside. Never blocks; raises NoActor or MailboxFull."""
        if self.state != OPEN:
            raise NoActor(self.name)
        queue = self.queue
        if len(queue) >= self.limit:
            raise MailboxFull(self.name, self.limit)
        queue.append((message, reply))
        reader = self._reader
        if reader is not None:
            self._reader = None
            reschedule(reader)

    def put_own(self, message: Cast, *, bounded: bool) -> None:
        """Queue what the actor's own task or timer sends it; also while it is stopping.

        Raises MailboxFull if `bounded`. A timer is not: it was set by the actor itself.
        """
        if self.state >= DEAF:
            self.dropped_at_end += 1
            return
        if bounded and len(self.queue) >= self.limit:
            raise MailboxFull(self.name, self.limit)
        self.queue.append((message, None))
        self._wake()

    async def wait(self) -> bool:
        """Wait until there is something to take. False: there is nothing and will be nothing.

        A checkpoint. Only the incarnation's own serving task may wait.
        """
        if self.queue or self.state != OPEN:
            await trio.lowlevel.checkpoint()
        else:
            self._reader = current_task()
            await wait_task_rescheduled(self._abort)
        return bool(self.queue) or self.state == OPEN

    def shut(self) -> None:
        """No new senders; what is queued is served. Idempotent."""
        if self.state == OPEN:
            self.state = SHUT
            self._wake()

    def deafen(self) -> None:
        """Serving is over; what the actor still owes may be answered by its tasks."""
        self.state = max(self.state, DEAF)

    def close(self, reason: str) -> None:
        """Fail every queued and waiting reply with ActorDown at once. Idempotent."""
        self.state = CLOSED
        replies = [reply for _, reply in self.queue if reply is not None]
        replies.extend(self.owed)
        if self.current is not None:
            replies.append(self.current)
        self.queue.clear()
        self.current = None
        for reply in replies:
            if not reply.done:
                reply.fail(ActorDown(self.name, reason))

    def tell(self, down: Down) -> None:
        """Tell every monitor, once."""
        monitors, self.monitors = self.monitors, {}
        for told in monitors.values():
            told(down)

    def retract(self, message: object) -> None:
        """Take this very object out of the queue, if it is still there."""
        for envelope in self.queue:
            if envelope[0] is message:
                self.queue.remove(envelope)
                return

    def defer(self, reply: Reply[Any]) -> None:
        """Remember that `reply` will be sent later, so that it fails if the actor ends first."""
        if not reply.done:
            reply.deferred = True
            self.owed.add(reply)

    def statistics(self) -> Statistics:
        """The figures of this moment."""
        return Statistics(
            name=self.name,
            incarnation=self.incarnation,
            depth=len(self.queue),
            limit=self.limit,
            age=trio.current_time() - self._born,
            stopping=self.state != OPEN,
            served=self.served,
            late_replies=self.late_replies,
            unknown_messages=self.unknown_messages,
            skipped_ticks=self.skipped_ticks,
            dropped_at_end=self.dropped_at_end,
        )

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reschedule(reader)

    def _abort(self, _: Callable[[], object]) -> Abort:
        self._reader = None
        return Abort.SUCCEEDED

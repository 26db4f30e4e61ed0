"""Actors on trio: OTP's gen_server. This is the lowest floor; it knows trio and nothing above it.

    @dataclass(frozen=True)
    class Add(Cast):
        amount: int

    @dataclass(frozen=True)
    class Total(Call[int]): ...

    class Counter(Actor):
        async def init(self) -> None:
            self.total = 0

        async def handle_cast(self, message: Cast) -> None:
            match message:
                case Add(amount):
                    self.total += amount
                case _:
                    await super().handle_cast(message)

        async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
            match message:
                case Total():
                    return self.total
                case _:
                    return await super().handle_call(message, reply)

    registry = Registry()
    async with trio.open_nursery() as nursery:
        stop = await nursery.start(actor_worker(Counter, registry, "counter"))
        counter = Ref(registry, "counter")
        counter.cast(Add(2))
        assert await counter.call(Total()) == 2
        stop()

Where what lives: messages (Call, Cast, Down), mailbox and reply (the queue, and the slot an answer
comes back in), registry and ref (names and sending), deadlock (who waits for whom), monitor (and
link), timer, actor (the callbacks), incarnation (one life, as a worker for a supervisor).
Everything belongs to one trio run and one thread.
"""

from .actor import Actor
from .errors import (
    ActorDown,
    ActorError,
    AlreadyRegistered,
    CallTimeout,
    Deadlock,
    Ignore,
    MailboxFull,
    NoActor,
    StartTimeout,
    UnknownMessage,
)
from .incarnation import StartedCallback, Stop, Worker, actor_worker
from .mailbox import Mailbox, Statistics
from .messages import CRASH, KILLED, LATER, NOPROC, NORMAL, Call, Cast, Down
from .monitor import Link, Monitor
from .ref import PendingReply, Ref
from .registry import Registry
from .reply import Reply
from .timer import Timer

__all__ = [
    "CRASH",
    "KILLED",
    "LATER",
    "NOPROC",
    "NORMAL",
    "Actor",
    "ActorDown",
    "ActorError",
    "AlreadyRegistered",
    "Call",
    "CallTimeout",
    "Cast",
    "Deadlock",
    "Down",
    "Ignore",
    "Link",
    "Mailbox",
    "MailboxFull",
    "Monitor",
    "NoActor",
    "PendingReply",
    "Ref",
    "Registry",
    "Reply",
    "StartTimeout",
    "StartedCallback",
    "Statistics",
    "Stop",
    "Timer",
    "UnknownMessage",
    "Worker",
    "actor_worker",
]

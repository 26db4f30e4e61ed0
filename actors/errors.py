"""What can go wrong between two actors. The lowest file of the kernel; imports nothing of it.

No error carries a message's contents or another actor's exception, only names and type names:
errors get logged, and a message may hold a secret. Each is named after what happened.
"""

from __future__ import annotations


class ActorError(Exception):
    """Any failure of the kernel itself, as opposed to a failure of an actor's own code."""


class NoActor(ActorError):
    """Nobody serves under this name: it never existed, is gone, or takes no more messages."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no actor is called {name!r}")
        self.name = name


class ActorDown(ActorError):
    """The actor ended while somebody needed it. `reason` is as in `Down`."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name!r} is down: {reason}")
        self.name = name
        self.reason = reason


class CallTimeout(ActorError):
    """No answer in time. The actor lives and may still do what was asked; its answer is dropped."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(f"{name!r} did not answer within {seconds:g} s")
        self.name = name
        self.seconds = seconds


class MailboxFull(ActorError):
    """The mailbox holds `limit` messages already; this one was not taken."""

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(f"the mailbox of {name!r} is full ({limit} messages)")
        self.name = name
        self.limit = limit


class AlreadyRegistered(ActorError):
    """The name is taken. `owner` is the incarnation number of the actor that has it."""

    def __init__(self, name: str, owner: int) -> None:
        super().__init__(f"{name!r} is already registered by incarnation {owner}")
        self.name = name
        self.owner = owner


class Deadlock(ActorError):
    """The call could never be answered, because its target waits for its caller.

    `chain` names who waits for whom, in order; it begins and ends with the same name.
    """

    def __init__(self, chain: tuple[str, ...]) -> None:
        super().__init__(f"a call that waits for itself: {' -> '.join(chain)}")
        self.chain = chain


class StartTimeout(ActorError):
    """`init` did not finish in time. The name is free again."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(f"{name!r} did not start within {seconds:g} s")
        self.name = name
        self.seconds = seconds


class UnknownMessage(ActorError):
    """The actor does not know this kind of call. `kind` is the message's type name."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(f"{name!r} does not know {kind}")
        self.name = name
        self.kind = kind


class Ignore(Exception):
    """Raised by `init` (or by any worker before it is started) to say: do not start me."""

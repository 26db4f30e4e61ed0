"""What a supervisor can answer instead of "done": few errors, each with one meaning.

`SupervisorError` is the family a caller may catch. `ShutdownReason` is not a mistake but a way to
end: a worker that raises it ends in order, so a transient one is not started again. No text here
repeats a foreign message: causes travel as `__cause__`, and reports redact them.
"""

from __future__ import annotations


class SupervisorError(Exception):
    """The family of everything a supervisor refuses."""


class InvalidSpec(SupervisorError):
    """A specification is refused; `field` names the part that is wrong. Nothing was started."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why

    def __reduce__(self) -> tuple[type[InvalidSpec], tuple[str, str]]:
        return InvalidSpec, (self.field, self.why)


class StartFailed(SupervisorError):
    """A child did not start; `__cause__` leads to the first reason, level by level."""

    def __init__(self, supervisor: str, child: str, why: str = "") -> None:
        super().__init__(f"{supervisor}: {child!r} did not start" + (f": {why}" if why else ""))
        self.supervisor = supervisor
        self.child = child
        self.why = why


class StartCancelled(StartFailed):
    """An order ended the start before it was done."""


class StartTimeout(SupervisorError):
    """A child was not ready within its `start_timeout`."""


class NeverStarted(SupervisorError):
    """A worker returned before it called `started()`."""


class ChildError(SupervisorError):
    """An order that does not fit what a child is doing; `child` is its id."""

    why = "cannot do that"

    def __init__(self, child: str) -> None:
        super().__init__(f"{child!r} {self.why}")
        self.child = child


class AlreadyStarted(ChildError):
    """start_child: a child of this id is running."""

    why = "is already running"


class AlreadyPresent(ChildError):
    """start_child: there is a specification of this id; restart or delete that child."""

    why = "is already specified, though it does not run"


class NotFound(ChildError):
    """No child of this supervisor has this id."""

    why = "is not a child of this supervisor"


class Running(ChildError):
    """restart_child, delete_child: the child must be terminated first."""

    why = "is running"


class Restarting(ChildError):
    """restart_child, delete_child: the supervisor is restarting it; terminate it first."""

    why = "is being restarted"


class Leaked(ChildError):
    """The child was killed and its task is still there, so nobody may take its place."""

    why = "was killed and is still alive"


class MaxChildren(SupervisorError):
    """The supervisor has as many children as `max_children` allows; restarting ones count."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"no more than {limit} children")
        self.limit = limit


class ShuttingDown(SupervisorError):
    """The supervisor is stopping and takes no more orders."""


class ShutdownReason(Exception):
    """Raised by a worker that ends in order; OTP's exit reason `shutdown`."""


class Escalated(ShutdownReason):
    """A supervisor gave up: more restarts than its intensity allows. `child` was the last."""

    def __init__(self, supervisor: str, child: str, restarts: int, period: float) -> None:
        super().__init__(f"{supervisor}: {child!r}: more than {restarts} restarts in {period:g} s")
        self.supervisor = supervisor
        self.child = child

"""Who waits for whom: a call that could never be answered raises instead of hanging.

Two questions are asked before a caller parks. Forward: does the target's own handler wait, call
by call, for the caller? Backward: is this call made in the service of a call whose caller is the
target? The second follows an actor's tasks too, since a task inherits the call it was started in
through its context. What neither can see (an answer that depends on a later message) ends with
the call's timeout.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from trio.lowlevel import current_task

from .errors import Deadlock

if TYPE_CHECKING:
    from .mailbox import Mailbox
    from .reply import Reply

resident: ContextVar[Mailbox | None] = ContextVar("actors.resident", default=None)
"""The incarnation in whose house this task runs."""

turn: ContextVar[Reply[Any] | None] = ContextVar("actors.turn", default=None)
"""The call this task works for, until it is answered."""


def blocked() -> Mailbox | None:
    """The actor that serves no message until the current task goes on, if there is one.

    That is so in its handlers and in nurseries opened by them, and not in the tasks of the actor's
    own nursery.
    """
    mailbox = resident.get()
    if mailbox is None:
        return None
    task = current_task()
    while task is not mailbox.task:
        nursery = task.parent_nursery
        if nursery is None or nursery is mailbox.nursery:
            return None
        task = nursery.parent_task
    return mailbox


def refuse_cycle(caller: Mailbox | None, target: Mailbox, parent: Reply[Any] | None) -> None:
    """Raise Deadlock if `target` waits for `caller`, or for the call `parent` to be answered."""
    if parent is not None:
        _backward(target, parent)
    if caller is not None:
        _forward(caller, target)


def _forward(caller: Mailbox, target: Mailbox) -> None:
    chain = [caller.name, target.name]
    while target is not caller:
        step = target.blocked_on
        # A deferred answer does not need its actor's loop; after one that is here (`done`) the
        # target goes on as soon as it is scheduled.
        if step is None or step.deferred or step.done:
            return
        target = step.target
        chain.append(target.name)
    raise Deadlock(tuple(chain))


def _backward(target: Mailbox, parent: Reply[Any]) -> None:
    chain = [target.name]
    link: Reply[Any] | None = parent
    while link is not None:
        chain.append(link.target.name)
        if link.caller is target:
            raise Deadlock((target.name, *reversed(chain)))
        link = link.parent

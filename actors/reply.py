"""The slot in which an answer travels back. Knows trio; its mailbox only by name and counter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

import trio
from trio.lowlevel import Abort, current_task, reschedule, wait_task_rescheduled

from .errors import CallTimeout
from .messages import R

if TYPE_CHECKING:
    from collections.abc import Callable

    from .mailbox import Mailbox


class Reply(Generic[R]):
    """The one-shot slot a caller waits on; the actor's end of it is `send` and `fail`.

    Usable from any task of the run (not from a thread), any number of times: the first answer
    wins, and one that comes when nobody waits any more is dropped and counted, never an error.
    """

    __slots__ = (
        "_error",
        "_task",
        "_value",
        "answered",
        "caller",
        "deferred",
        "done",
        "parent",
        "target",
    )

    def __init__(self, target: Mailbox, caller: Mailbox | None, parent: Reply[Any] | None) -> None:
        self.target = target
        # For the deadlock check: the actor that can do nothing until this is answered, and the
        # call in whose service this one is made. Both are forgotten when it is done.
        self.caller = caller
        self.parent = parent
        self.done = False
        self.answered = False
        self.deferred = False
        self._task: trio.lowlevel.Task | None = None
        self._error: Exception | None = None

    def send(self, value: R) -> bool:
        """Answer. False if nobody waits any more."""
        if self.done:
            self.target.late_replies += 1
            return False
        self._value = value
        self._finish()
        return True

    def fail(self, error: Exception) -> bool:
        """Raise `error` at the caller. False if nobody waits any more."""
        if not isinstance(error, Exception):
            # A Cancelled raised again in another task corrupts trio's state.
            raise TypeError(f"only an Exception can be an answer, not {type(error).__name__}")
        if self.done:
            self.target.late_replies += 1
            return False
        self._error = error
        self._finish()
        return True

    def abandon(self) -> None:
        """Give up waiting; an answer that still comes is dropped. Idempotent."""
        if not self.done:
            self._release()

    def _finish(self) -> None:
        self.answered = True
        task = self._task
        self._release()
        if task is not None:
            reschedule(task)

    def _release(self) -> None:
        self.done = True
        self.caller = self.parent = self._task = None
        if self.deferred:
            self.target.owed.discard(self)

    def _abort(self, _: Callable[[], object]) -> Abort:
        self._release()
        return Abort.SUCCEEDED

    async def wait(self, timeout: float) -> R:
        """The answer. Raises what `fail` was given, ActorDown, or CallTimeout after `timeout` s."""
        if self.done:
            await trio.lowlevel.checkpoint()
        else:
            self._task = current_task()
            with trio.move_on_after(timeout):
                await wait_task_rescheduled(self._abort)
        if not self.answered:
            raise CallTimeout(self.target.name, timeout)
        if self._error is not None:
            raise self._error
        return self._value

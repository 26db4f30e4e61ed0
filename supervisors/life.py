"""One life of one child: its task, the scope that only its supervisor cancels, its end.

The task stands behind a barrier: whatever the worker raises becomes a value, so the nursery it
lives in never sees an exception of a child. The scope is shielded, so a cancellation from above
does not reach all children at once; the supervisor stops them in order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from actors import Ignore
from supervisors.child_spec import Shutdown
from supervisors.errors import NeverStarted, ShutdownReason
from supervisors.place import Place, Tree, here
from supervisors.report import Failure, describe
from supervisors.restart import How

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import Stop, Worker
    from supervisors.place import Subtree


@dataclass(frozen=True, slots=True)
class Ended:
    """How a life ended, and with what failure if it was one."""

    how: How
    failure: Failure | None = None

    def __str__(self) -> str:
        return f"{self.how.value} {self.failure}" if self.failure else self.how.value


class Life:
    """One incarnation. `on_end` is called once, in the dying task, after all is recorded.

    `settled` is set when it is ready, killed or over, `over` when its task has ended. `error` is
    kept only if somebody has to raise it: a start that failed, an exit of the program, an end of
    the root.
    """

    __slots__ = (
        "_grace", "_limit", "_patience", "_polite_until", "_stop", "asked", "born", "ended",
        "error", "keeps_error", "killed", "leaked", "on_end", "on_ready", "over", "path", "scope",
        "settled", "subtree", "tree", "worker",
    )  # fmt: skip

    def __init__(
        self,
        tree: Tree,
        path: str,
        worker: Worker,
        on_ready: Callable[[Life], None],
        on_end: Callable[[Life], None],
    ) -> None:
        self.tree = tree
        self.path = path
        self.worker = worker
        self.on_ready = on_ready
        self.on_end = on_end
        self.scope = trio.CancelScope(shield=True)
        self.settled = trio.Event()
        self.over = trio.Event()
        self.born: float | None = None
        self.ended: Ended | None = None
        self.error: BaseException | None = None
        self.keeps_error = False
        self.subtree: Subtree | None = None
        self.asked = False  # by its supervisor, in whatever way: its end is then no surprise
        self.killed = False
        self.leaked = False
        self._stop: Stop | None = None
        self._grace = 0.0
        self._limit = math.inf
        self._polite_until = math.inf
        self._patience: trio.CancelScope | None = None

    @property
    def alive(self) -> bool:
        """Whether its task still runs."""
        return not self.over.is_set()

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Live. Never raises: a Ctrl-C may hit the worker, but not the barrier."""
        here.set(Place(self.tree, self.path, self))
        error: BaseException | None = None
        try:
            with self.scope:
                await self._work()
                if self.born is None:
                    raise NeverStarted("it returned before it was ready")
        except BaseException as raised:  # noqa: BLE001  (the barrier)
            error = alone(raised)
        how = self._classify(error)
        failure = None
        if error is not None and how is not How.CANCELLED:
            failure = describe(error, self.tree.redact)
            if how is How.EXIT or self.born is None or self.keeps_error:
                self.error = error
        self.ended = Ended(how, failure)
        del error  # its traceback leads back to this frame
        self.subtree = None
        self.tree.leaked.pop(self, None)
        self.settled.set()
        self.over.set()
        self.on_end(self)

    @trio.lowlevel.enable_ki_protection
    def started(self, value: Stop | None = None) -> None:
        """The worker is ready; `value` asks it for a polite end. Once only."""
        if self.born is not None:
            raise RuntimeError("started() was called twice")
        if value is not None and not callable(value):
            raise TypeError(f"started() takes a function or None, not {type(value).__name__}")
        self._stop = value
        self.born = trio.current_time()
        self.settled.set()
        self.on_ready(self)

    def ask(self, shutdown: float | Shutdown, grace: float) -> BaseException | None:
        """Ask it to end within `shutdown` seconds; `wait_over` then kills it, and waits `grace`.

        Asking again changes nothing. Returns what its polite stop raised, in which case it is
        killed at once. One without a polite stop, or not ready yet, is asked by cancelling it.
        """
        if self.asked or not self.alive:
            return None
        self.asked = True
        self._grace = grace
        if shutdown is Shutdown.KILL:
            self.kill(grace)
        elif self._stop is None:
            self._cancel()
        else:
            try:
                self._stop()
            except (Exception, SystemExit) as error:  # noqa: BLE001  (foreign code)
                self.kill(grace)
                return error
        if not isinstance(shutdown, Shutdown):
            self._polite_until = trio.current_time() + shutdown
        return None

    def kill(self, grace: float) -> None:
        """Cancel it now. Only a request: a task that shields itself, or never waits, goes on."""
        self.asked = self.killed = True
        self._limit = trio.current_time() + grace
        if self._patience is not None:
            self._patience.cancel()
        if self.subtree is not None:
            self.subtree.hurry()
        self._cancel()

    async def wait_over(self) -> bool:
        """Wait for the end it was asked for, killing it when its time is up.

        False if it is still alive then: it has leaked. A supervisor is waited for without limit,
        because its own stop is bounded. May be cancelled, and called again.
        """
        if self.alive and not self.killed:
            with trio.CancelScope(deadline=self._polite_until) as self._patience:
                await self.over.wait()
            if self.alive and not self.killed:
                self.kill(self._grace)
        if self.alive:
            with trio.move_on_at(math.inf if self.subtree else self._limit):
                await self.over.wait()
        if self.alive:
            self.leaked = True
            self.tree.leaked[self] = self.path
        return not self.alive

    @trio.lowlevel.disable_ki_protection
    async def _work(self) -> None:
        await self.worker(task_status=self)

    def _cancel(self) -> None:
        self.scope.cancel()
        self.settled.set()  # nobody waits any more for it to be ready

    def _classify(self, error: BaseException | None) -> How:
        # The scope says what we did, the exception what the worker did; a crash while it is
        # being cancelled is a crash, because the scope has then caught nothing.
        if error is None:
            polite = self.asked and not self.killed
            return How.KILLED if self.scope.cancelled_caught and not polite else How.RETURNED
        if isinstance(error, SystemExit | KeyboardInterrupt):
            return How.EXIT
        if isinstance(error, trio.Cancelled):
            return How.CANCELLED
        if isinstance(error, ShutdownReason):
            return How.SHUTDOWN
        if isinstance(error, Ignore) and self.born is None:
            return How.IGNORED
        return How.CRASHED


def alone(error: BaseException) -> BaseException:
    """The one exception that counts in nested groups: an exit first, then what is no Cancelled.

    Several real ones stay a group.
    """
    if not isinstance(error, BaseExceptionGroup):
        return error
    exits, _ = error.split((SystemExit, KeyboardInterrupt))
    _, real = error.split(trio.Cancelled)
    chosen: BaseException = exits or real or error
    first_will_do = exits is not None or real is None
    while isinstance(chosen, BaseExceptionGroup) and (first_will_do or len(chosen.exceptions) == 1):
        chosen = chosen.exceptions[0]
    return chosen

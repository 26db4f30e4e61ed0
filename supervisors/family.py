"""The children of one running supervisor, and the few acts that change them: start, halt, end.

Decides nothing about restarts (`mender.py`) and takes no orders (`orders.py`).
"""

from __future__ import annotations

import contextvars
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from supervisors.child import Child, Lane
from supervisors.child_spec import ChildSpec, Shutdown
from supervisors.errors import Leaked, ShuttingDown, StartCancelled, StartFailed, StartTimeout
from supervisors.life import Life
from supervisors.report import Report, ReportKind, describe, send
from supervisors.restart import How, Restart, Strategy
from supervisors.snapshot import State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors import Worker
    from supervisors.place import Tree
    from supervisors.snapshot import Snapshot
    from supervisors.supervisor_spec import SupervisorSpec


class Family:
    """One incarnation's table of children, in start order.

    `surprised` is called when a running child ends that nobody had asked to. Children and the
    supervisor's own tasks are started in the context of the supervisor, never in that of whoever
    ordered it, so no child carries a caller's context variables through its restarts.
    """

    tasks: trio.Nursery  # the supervisor's own, set as soon as it is open

    def __init__(self, spec: SupervisorSpec, tree: Tree, path: str) -> None:
        self.spec = spec
        self.tree = tree
        self.path = path
        self.children: dict[str, Child] = {}
        self.stopping = False
        self.ending: BaseException | None = None
        self.finish = trio.Event()
        self.surprised: Callable[[Child], None] = lambda _: None
        self._context = contextvars.copy_context()
        self.lane = Lane(shared=True)

    @property
    def parallel(self) -> bool:
        """Whether the children are independent of each other."""
        return self.spec.strategy is Strategy.ONE_FOR_ONE

    def adopt(self, spec: ChildSpec, *, dynamic: bool) -> Child:
        """A new entry at the end of the table, not started yet."""
        child = Child(spec, Lane(shared=False) if self.parallel else self.lane, dynamic)
        self.children[spec.id] = child
        return child

    def forget(self, child: Child) -> None:
        """Take it out of the table."""
        child.lane.leave()
        if self.children.get(child.id) is child:  # its id may have gone to another one since
            del self.children[child.id]

    def spawn(self, work: Callable[..., Awaitable[Any]], *args: object) -> None:
        """Run a task of the supervisor; it is cancelled when the supervisor begins to stop.

        May be called by anybody: in a child's last moments, and for whoever gives an order.
        """
        self._context.run(self.tasks.start_soon, _protected, work, *args)

    def give_life(
        self,
        name: str,
        worker: Worker,
        on_ready: Callable[[Life], None],
        on_end: Callable[[Life], None],
    ) -> Life:
        """A new life on the ground of the tree. To be called in the supervisor's own tasks only."""
        life = Life(self.tree, f"{self.path}/{name}", worker, on_ready, on_end)
        self.tree.ground.start_soon(life.run, name=life.path)
        return life

    def end(self, reason: BaseException | None = None) -> None:
        """Begin the end of the supervisor; the first reason is the one it ends with."""
        if not self.stopping:
            self.stopping = True
            self.ending = reason
        elif isinstance(reason, SystemExit | KeyboardInterrupt) and self.ending is None:
            self.ending = reason
        self.finish.set()

    async def start(self, child: Child) -> None:
        """Start it and wait until it is ready. Its state is then RUNNING, or IGNORED.

        Raises StartFailed. The caller holds the lane, and decides what becomes of the child.
        """
        if self.stopping:
            raise StartFailed(self.path, child.id, "the supervisor is stopping")
        if child.alive:
            raise self._start_failed(child, Leaked(child.id))
        child.state = State.STARTING
        child.incarnation += 1
        life = child.life = self.give_life(
            child.id, child.spec.start, partial(_ready, child), partial(self._over, child)
        )
        limit = child.spec.start_timeout
        if isinstance(limit, Shutdown):
            await life.settled.wait()
        else:
            with trio.move_on_after(limit):
                await life.settled.wait()
        too_slow = not life.settled.is_set()
        if too_slow:
            life.kill(self.spec.grace)
        if life.asked:
            over = await self._wait_over(child, life)
            if too_slow:
                raise self._start_failed(child, StartTimeout(f"not ready within {limit} s"))
            child.state = State.TERMINATED if over else State.LEAKED
            raise StartCancelled(self.path, child.id, "terminated while it was starting")
        if life.born is None:
            self._settle_start(child, life)

    async def halt(self, child: Child) -> None:
        """Ask it to end, wait until it has; its state is then STOPPED, or LEAKED.

        Does nothing if it is not alive. May be cancelled, and done again.
        """
        life = child.life
        if life is None or not life.alive or life.leaked:
            return
        shutdown = child.spec.shutdown
        child.state = State.STOPPING
        error = life.ask(shutdown, self.spec.grace)
        if error is not None:
            failure = describe(error, self.tree.redact)
            self.report(ReportKind.SHUTDOWN_ERROR, child, how=How.CRASHED, failure=failure)
        if not await self._wait_over(child, life):
            return
        child.state = State.STOPPED
        ended = life.ended
        assert ended is not None  # noqa: S101  (a life that is over has ended somehow)
        killed = ended.how is How.KILLED and shutdown is not Shutdown.KILL and error is None
        if killed or ended.how in (How.CRASHED, How.CANCELLED):
            self.report(ReportKind.SHUTDOWN_ERROR, child, how=ended.how, failure=ended.failure)

    async def halt_all(self) -> None:
        """Stop all: dynamic children of one_for_one at the same time, others in reverse order.

        Bounded by the children's own shutdown times; not cancellable, but see `hurry`.
        """
        self.stopping = True
        with trio.CancelScope(shield=True):
            if self.parallel:
                await self._halt_together([c for c in self.children.values() if c.dynamic])
            for child in reversed(list(self.children.values())):
                await self.halt(child)

    def hurry(self) -> None:
        """Kill all children now."""
        self.stopping = True
        for child in reversed(list(self.children.values())):
            if child.life is not None and child.life.alive:
                child.life.kill(self.spec.grace)

    def snapshot(self) -> tuple[Snapshot, ...]:
        """All children in start order, and what is below them."""
        return tuple(child.snapshot() for child in self.children.values())

    def refuse_if_stopping(self) -> None:
        """Raise ShuttingDown if no order is taken any more."""
        if self.stopping:
            raise ShuttingDown(self.path)

    def report(self, kind: ReportKind, child: Child, **details: Any) -> None:
        """Tell the tree's reporter."""
        at = trio.current_time()
        restarts = child.restarts
        send(
            Report(kind, self.path, child.id, at, restarts=restarts, **details),
            self.tree.reporter,
        )

    async def _halt_together(self, children: list[Child]) -> None:
        async with trio.open_nursery() as nursery:
            for child in children:
                nursery.start_soon(_protected, self.halt, child)

    async def _wait_over(self, child: Child, life: Life) -> bool:
        over = await life.wait_over()
        if not over:
            child.state = State.LEAKED
            self.report(ReportKind.LEAKED, child, how=How.KILLED)
        return over

    def _settle_start(self, child: Child, life: Life) -> None:
        ended, error = life.ended, life.error
        assert ended is not None  # noqa: S101
        life.error = None
        if ended.how is How.IGNORED:
            child.state = State.IGNORED
            return
        raise self._start_failed(child, error, ended.how)

    def _start_failed(
        self, child: Child, cause: BaseException | None, how: How = How.CRASHED
    ) -> StartFailed:
        failure = describe(cause, self.tree.redact) if cause else None
        self.report(ReportKind.START_FAILED, child, how=how, failure=failure)
        error = StartFailed(self.path, child.id, type(cause).__name__ if cause else how.value)
        error.__cause__ = cause
        return error

    def _over(self, child: Child, life: Life) -> None:
        ended = life.ended
        child.last_exit = str(ended)
        if ended is not None and ended.how is How.EXIT:
            self.end(life.error)
        if child.state is State.LEAKED:
            child.state = State.STOPPED
            if child.spec.restart is Restart.TEMPORARY:
                self.forget(child)
        elif life.born is not None and not life.asked:
            self.surprised(child)


def _ready(child: Child, life: Life) -> None:
    if not life.asked:
        child.state = State.RUNNING


@trio.lowlevel.enable_ki_protection
async def _protected(work: Callable[..., Awaitable[Any]], *args: object) -> None:
    await work(*args)

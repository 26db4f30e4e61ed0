"""The top of a tree: opens the ground, runs the outermost supervisor, ends with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from supervisors.child import Child, Lane
from supervisors.child_spec import Shutdown
from supervisors.life import Life
from supervisors.place import Tree
from supervisors.report import Redactor, Reporter, as_it_is, log_report
from supervisors.restart import Restart
from supervisors.snapshot import Snapshot, State
from supervisors.supervisor import supervisor_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisors.supervisor_spec import SupervisorSpec


class RunningTree:
    """A handle on a running tree, for whoever runs it."""

    __slots__ = ("_life", "_root", "_tree")

    def __init__(self, tree: Tree, root: Child, life: Life) -> None:
        self._tree = tree
        self._root = root
        self._life = life

    def stop(self) -> None:
        """Ask the whole tree to end, in reverse start order. Returns at once; may be repeated."""
        if self._life.alive:
            self._root.state = State.STOPPING
            self._life.ask(Shutdown.INFINITY, 0.0)

    def kill(self) -> None:
        """Cancel every child of the tree now, also while it is stopping."""
        self._life.kill(0.0)

    def snapshot(self) -> Snapshot:
        """The whole tree as it is at this moment."""
        return self._root.snapshot()

    def leaked(self) -> tuple[str, ...]:
        """The paths of the children that were killed and whose tasks are still alive."""
        return tuple(self._tree.leaked.values())


@trio.lowlevel.enable_ki_protection
async def run_tree(
    spec: SupervisorSpec,
    *,
    name: str = "root",
    reporter: Reporter = log_report,
    redact: Redactor = as_it_is,
    on_leaked: Callable[[tuple[str, ...]], None] | None = None,
    task_status: trio.TaskStatus[RunningTree] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a supervisor and all below it; ready (for `nursery.start`) when all have started.

    Returns when it was asked to stop. Raises StartFailed with the chain of causes, Escalated when
    the outermost supervisor gave up, SystemExit or KeyboardInterrupt when a child raised that: an
    uncaught one ends the process with a status other than 0. Whatever the end, all children have
    been stopped in order. A cancellation from outside, or a first Ctrl-C, does the same as
    `stop()`, within the children's shutdown times; another Ctrl-C kills.

    `name` is the first part of every path in reports. Every text of an exception passes `redact`
    before `reporter` sees it. Trio cannot end a task that shields itself, so this function waits
    for leaked ones; `on_leaked` is told their paths before that, and may end the process.
    """
    interrupt: BaseException | None = None
    async with trio.open_nursery() as ground:
        tree = Tree(ground, reporter, redact)
        root_spec = supervisor_spec(name, spec, restart=Restart.TEMPORARY)
        root = Child(root_spec, Lane(shared=False), dynamic=False, incarnation=1)
        life = root.life = Life(tree, name, root_spec.start, _ready(root), _over(root))
        life.keeps_error = True
        handle = RunningTree(tree, root, life)
        ground.start_soon(life.run, name=name)
        try:
            await life.settled.wait()
            if life.born is not None:
                task_status.started(handle)
            await life.over.wait()
        except KeyboardInterrupt as error:
            interrupt = error
        finally:
            await _stopped(life, handle)
            if tree.leaked and on_leaked is not None:
                on_leaked(handle.leaked())
    reason = interrupt or life.error
    if reason is not None:
        raise reason


async def _stopped(life: Life, handle: RunningTree) -> None:
    handle.stop()
    while life.alive:
        try:
            with trio.CancelScope(shield=True):
                await life.over.wait()
        except KeyboardInterrupt:  # somebody is losing patience
            handle.kill()


def _ready(root: Child) -> Callable[[Life], None]:
    def ready(_: Life) -> None:
        root.state = State.RUNNING

    return ready


def _over(root: Child) -> Callable[[Life], None]:
    def over(life: Life) -> None:
        root.state = State.STOPPED
        root.last_exit = str(life.ended)

    return over

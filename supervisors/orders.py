"""What a supervisor does when it is told to: OTP's functions on children, with OTP's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisors.child_spec import ChildSpec
from supervisors.errors import (
    AlreadyPresent,
    AlreadyStarted,
    InvalidSpec,
    Leaked,
    MaxChildren,
    NotFound,
    Restarting,
    Running,
    StartCancelled,
    StartFailed,
)
from supervisors.restart import Restart
from supervisors.snapshot import Counts, Snapshot, State

if TYPE_CHECKING:
    from supervisors.child import Child
    from supervisors.family import Family

ACTIVE = frozenset({State.RUNNING, State.STOPPING})
BUSY = frozenset({State.STARTING, State.RUNNING, State.STOPPING})
WAITING = frozenset({State.RESTARTING, State.BACKING_OFF})


class Orders:
    """The orders of one family. Those that change something run as tasks of the supervisor."""

    def __init__(self, family: Family) -> None:
        self.family = family

    async def start_child(self, spec: ChildSpec) -> Snapshot:
        """Add a child and start it.

        Raises AlreadyStarted, AlreadyPresent, MaxChildren, or StartFailed, which leaves nothing
        behind. One that says Ignore is forgotten too; its snapshot says so.
        """
        family = self.family
        if not isinstance(spec, ChildSpec):
            raise InvalidSpec("spec", "a ChildSpec")
        present = family.children.get(spec.id)
        if present is not None:
            raise (AlreadyStarted if present.state in BUSY else AlreadyPresent)(spec.id)
        limit = family.spec.max_children
        if limit is not None and len(family.children) >= limit:
            raise MaxChildren(limit)
        child = family.adopt(spec, dynamic=True)
        try:
            await self._start(child)
        except StartFailed:
            if not child.alive:
                family.forget(child)
            raise
        if child.state is State.IGNORED:
            family.forget(child)
        return child.snapshot(deep=False)

    async def terminate_child(self, name: str) -> Snapshot:
        """Stop a child, or what is being done to start it; a temporary one is forgotten.

        Safe to repeat. Nothing but `restart_child` starts it again. Raises NotFound.
        """
        return await self._terminate(self._find(name))

    async def restart_child(self, name: str) -> Snapshot:
        """Start a child that does not run.

        Raises NotFound, Running, Restarting, Leaked, or StartFailed, which keeps its specification.
        """
        child = self._idle(name)
        child.state = State.STARTING
        try:
            await self._start(child)
        except StartFailed:
            if child.state is State.STARTING:
                child.state = State.STOPPED
            raise
        return child.snapshot(deep=False)

    def delete_child(self, name: str) -> Snapshot:
        """Forget a child that does not run. Raises NotFound, Running, Restarting, Leaked."""
        child = self._idle(name)
        self.family.forget(child)
        return child.snapshot(deep=False)

    async def remove_child(self, name: str) -> Snapshot:
        """Stop a child and forget it, in one step. Raises NotFound, Leaked."""
        child = self._find(name)
        last = await self._terminate(child)
        if child.alive:
            raise Leaked(name)
        self.family.forget(child)
        return last

    def replace_spec(self, spec: ChildSpec) -> Snapshot:
        """Give the child of that id another specification; its present life goes on.

        Its policy counts from now on, its start from the next restart. Raises NotFound.
        """
        if not isinstance(spec, ChildSpec):
            raise InvalidSpec("spec", "a ChildSpec")
        child = self._find(spec.id)
        child.spec = spec
        return child.snapshot(deep=False)

    def kill_child(self, name: str) -> Snapshot:
        """Cancel a child as if from outside: an abnormal end, to which its policy applies.

        Does nothing if it is not running. Raises NotFound.
        """
        child = self._find(name)
        if child.state is State.RUNNING and child.life is not None:
            child.life.scope.cancel()
        return child.snapshot(deep=False)

    def which_children(self) -> tuple[Snapshot, ...]:
        """All children in start order, without what is below them."""
        return tuple(child.snapshot(deep=False) for child in self.family.children.values())

    def count_children(self) -> Counts:
        """How many; one that is being restarted has a specification but is not active."""
        children = self.family.children.values()
        supervisors = sum(child.spec.kind == "supervisor" for child in children)
        return Counts(
            specs=len(children),
            active=sum(child.state in ACTIVE for child in children),
            supervisors=supervisors,
            workers=len(children) - supervisors,
        )

    async def _terminate(self, child: Child) -> Snapshot:
        if not child.alive:
            return self._terminated(child)
        if child.state is State.STARTING and child.life is not None:
            child.life.ask(child.spec.shutdown, self.family.spec.grace)
        async with child.lane.lock:
            await self.family.halt(child)
        return self._terminated(child)

    async def _start(self, child: Child) -> None:
        async with child.lane.lock:
            if child.state is not State.STARTING:
                raise StartCancelled(self.family.path, child.id, "terminated before its turn")
            await self.family.start(child)

    def _find(self, name: str) -> Child:
        child = self.family.children.get(name) if isinstance(name, str) else None
        if child is None:
            raise NotFound(name)
        return child

    def _idle(self, name: str) -> Child:
        child = self._find(name)
        if child.state in BUSY:
            raise Running(name)
        if child.state in WAITING:
            raise Restarting(name)
        if child.alive:
            raise Leaked(name)
        return child

    def _terminated(self, child: Child) -> Snapshot:
        if not child.alive:
            child.state = State.TERMINATED
            child.lane.leave()
            if child.spec.restart is Restart.TEMPORARY:
                self.family.forget(child)
        return child.snapshot(deep=False)

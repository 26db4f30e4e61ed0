"""A supervisor's address: a name looked up at each order, so it outlives restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Ref
from supervisors import messages

if TYPE_CHECKING:
    from actors import Registry
    from supervisors.child_spec import ChildSpec
    from supervisors.snapshot import Counts, Snapshot

PATIENCE = 30.0


class SupervisorRef:
    """Orders to whoever supervises under `name`.

    Every order may raise what `actors.Ref.call` raises (NoActor, ActorDown, CallTimeout, …) and
    ShuttingDown. One that changes something may take as long as its child's start and shutdown
    times; when `timeout` seconds are over it is still carried out, and nobody hears of it. The
    questions are answered at once, whatever the supervisor is doing.
    """

    __slots__ = ("ref",)

    def __init__(self, registry: Registry, name: str) -> None:
        self.ref = Ref(registry, name)

    async def start_child(self, spec: ChildSpec, timeout: float = PATIENCE) -> Snapshot:
        """Add a child and start it; its state is RUNNING, or IGNORED and it is forgotten.

        Raises AlreadyStarted, AlreadyPresent, MaxChildren, or StartFailed, which leaves nothing.
        """
        return await self.ref.call(messages.StartChild(spec), timeout)

    async def terminate_child(self, id: str, timeout: float = PATIENCE) -> Snapshot:  # noqa: A002
        """Stop a child, or the tries to start it. Idempotent; a temporary one is forgotten.

        Raises NotFound. A child that cannot be stopped comes back as LEAKED.
        """
        return await self.ref.call(messages.TerminateChild(id), timeout)

    async def restart_child(self, id: str, timeout: float = PATIENCE) -> Snapshot:  # noqa: A002
        """Start a child that does not run.

        Raises NotFound, Running, Restarting, Leaked, or StartFailed, which keeps its specification.
        """
        return await self.ref.call(messages.RestartChild(id), timeout)

    async def delete_child(self, id: str, timeout: float = PATIENCE) -> Snapshot:  # noqa: A002
        """Forget a child that does not run. Raises NotFound, Running, Restarting or Leaked."""
        return await self.ref.call(messages.DeleteChild(id), timeout)

    async def remove_child(self, id: str, timeout: float = PATIENCE) -> Snapshot:  # noqa: A002
        """Terminate and delete in one step. Raises NotFound or Leaked."""
        return await self.ref.call(messages.RemoveChild(id), timeout)

    async def replace_spec(self, spec: ChildSpec, timeout: float = PATIENCE) -> Snapshot:
        """Another specification for the child of that id; what runs goes on. Raises NotFound."""
        return await self.ref.call(messages.ReplaceSpec(spec), timeout)

    async def kill_child(self, id: str, timeout: float = PATIENCE) -> Snapshot:  # noqa: A002
        """End a running child abnormally, so that its policy applies. Raises NotFound."""
        return await self.ref.call(messages.KillChild(id), timeout)

    async def which_children(self, timeout: float = 5.0) -> tuple[Snapshot, ...]:
        """The children in start order, without what is below them."""
        return await self.ref.call(messages.WhichChildren(), timeout)

    async def count_children(self, timeout: float = 5.0) -> Counts:
        """How many there are, of which kind, and how many run."""
        return await self.ref.call(messages.CountChildren(), timeout)

    async def snapshot(self, timeout: float = 5.0) -> tuple[Snapshot, ...]:
        """The children in start order, and what is below them."""
        return await self.ref.call(messages.TakeSnapshot(), timeout)

"""Where in the tree a task stands: what a nested supervisor inherits from the tree it is in.

The house rule is to hand things in; this one travels in a context variable because the start
protocol of a worker has one parameter, and because a child must find its place, not be told it.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import trio

    from supervisors.report import Redactor, Reporter
    from supervisors.snapshot import Snapshot


class Subtree(Protocol):
    """What a child's task can be besides a worker: a supervisor with children of its own."""

    def hurry(self) -> None:
        """Kill all that is below, at once."""
        ...

    def snapshot(self) -> tuple[Snapshot, ...]:
        """The children."""
        ...


class Host(Protocol):
    """Whoever keeps a place for a subtree."""

    subtree: Subtree | None


@dataclass(slots=True, eq=False)
class Tree:
    """What all supervisors of one tree share.

    Every child's task lives in `ground`, the one nursery of the tree, and not in its supervisor's:
    trio cannot end a task that shields itself, and a nursery waits for all its tasks, so a leaked
    child would hang its supervisor for ever. Ordered stopping is the supervisors' work; the
    ground only holds what they had to abandon, whose paths are in `leaked`.
    """

    ground: trio.Nursery
    reporter: Reporter
    redact: Redactor
    leaked: dict[object, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """The tree, the path down to this task ("booper/instances"), and who keeps its place."""

    tree: Tree
    path: str
    host: Host


here: ContextVar[Place] = ContextVar("supervisors.here")

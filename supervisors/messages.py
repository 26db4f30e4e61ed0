"""The orders as messages, for those who talk to a supervisor without a SupervisorRef."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import Call
from supervisors.snapshot import Counts, Snapshot

if TYPE_CHECKING:
    from supervisors.child_spec import ChildSpec


@dataclass(frozen=True, slots=True)
class StartChild(Call[Snapshot]):
    """See Orders.start_child."""

    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class TerminateChild(Call[Snapshot]):
    """See Orders.terminate_child."""

    id: str


@dataclass(frozen=True, slots=True)
class RestartChild(Call[Snapshot]):
    """See Orders.restart_child."""

    id: str


@dataclass(frozen=True, slots=True)
class DeleteChild(Call[Snapshot]):
    """See Orders.delete_child."""

    id: str


@dataclass(frozen=True, slots=True)
class RemoveChild(Call[Snapshot]):
    """See Orders.remove_child."""

    id: str


@dataclass(frozen=True, slots=True)
class ReplaceSpec(Call[Snapshot]):
    """See Orders.replace_spec."""

    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class KillChild(Call[Snapshot]):
    """See Orders.kill_child."""

    id: str


@dataclass(frozen=True, slots=True)
class WhichChildren(Call[tuple[Snapshot, ...]]):
    """See Orders.which_children."""


@dataclass(frozen=True, slots=True)
class CountChildren(Call[Counts]):
    """See Orders.count_children."""


@dataclass(frozen=True, slots=True)
class TakeSnapshot(Call[tuple[Snapshot, ...]]):
    """All children, and what is below them."""

"""A child as its supervisor keeps it: the specification, what it is doing, its present life."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from supervisors.snapshot import Snapshot, State

if TYPE_CHECKING:
    from actors import Statistics
    from supervisors.child_spec import ChildSpec, Probe
    from supervisors.life import Life


class Lane:
    """What is done one after the other: one child under one_for_one, else the whole family.

    `timer` is the back-off under way, if there is one.
    """

    __slots__ = ("lock", "shared", "timer")

    def __init__(self, *, shared: bool) -> None:
        self.shared = shared
        self.lock = trio.Lock()
        self.timer: trio.CancelScope | None = None

    def set_timer(self) -> trio.CancelScope:
        """A new back-off, in place of the one before."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = trio.CancelScope()
        return self.timer

    def leave(self) -> None:
        """A child that waited does so no more; its back-off is over, unless others share it."""
        if self.timer is not None and not self.shared:
            self.timer.cancel()
            self.timer = None


@dataclass(slots=True, eq=False)
class Child:
    """One entry of the table. `streak` counts the restarts of the present series."""

    spec: ChildSpec
    lane: Lane
    dynamic: bool
    state: State = State.STARTING
    life: Life | None = field(default=None, repr=False)
    incarnation: int = 0
    restarts: int = 0
    streak: int = 0
    due: float = 0.0
    last_exit: str | None = None

    @property
    def id(self) -> str:
        """What it is called, for ever; a replaced specification has the same."""
        return self.spec.id

    @property
    def alive(self) -> bool:
        """Whether a task of it runs, in whatever state."""
        return self.life is not None and self.life.alive

    def snapshot(self, *, deep: bool = True) -> Snapshot:
        """How it is doing; with what is below it, if `deep`."""
        spec, life = self.spec, self.life
        figures = _figures(spec.probe)
        born = life.born if life is not None and life.alive else None
        below = life.subtree if deep and life is not None else None
        return Snapshot(
            id=spec.id,
            kind=spec.kind,
            restart=spec.restart,
            state=self.state,
            incarnation=self.incarnation,
            restarts=self.restarts,
            last_exit=self.last_exit,
            age=None if born is None else trio.current_time() - born,
            mailbox_depth=figures.depth if figures else None,
            mailbox_limit=figures.limit if figures else None,
            children=below.snapshot() if below else (),
        )


def _figures(probe: Probe | None) -> Statistics | None:
    try:
        return probe() if probe else None
    except Exception:  # noqa: BLE001  (foreign code; whoever looks must not fall over what is seen)
        return None

"""The tree as a value: what runs under whom, and how it is doing. Cheap, and safe at any moment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisors.child_spec import Kind
    from supervisors.restart import Restart


class State(Enum):
    """What a child is doing, as its supervisor sees it."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"  # it ended and is to be started again
    BACKING_OFF = "backing off"  # the same, but not yet
    STOPPING = "stopping"
    STOPPED = "stopped"  # ended by itself; its specification is kept
    TERMINATED = "terminated"  # by order; nothing but an order starts it again
    IGNORED = "ignored"  # it did not want to be started
    LEAKED = "leaked"  # killed, and still alive


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One child, and below it its own children if it is a supervisor.

    `incarnation` counts its starts and `restarts` those that its supervisor made by itself;
    `age` is seconds since it was ready, None if it is not. `last_exit` is how it last ended, in
    redacted words. The mailbox figures are None for a child that is not an actor.
    """

    id: str
    kind: Kind
    restart: Restart
    state: State
    incarnation: int = 0
    restarts: int = 0
    last_exit: str | None = None
    age: float | None = None
    mailbox_depth: int | None = None
    mailbox_limit: int | None = None
    children: tuple[Snapshot, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """How many children: all of them, those with a live task, and the same by kind."""

    specs: int
    active: int
    supervisors: int
    workers: int

"""What a supervisor is told about a child: how to start it, and what to do when it ends.

Values that are checked when they are made, so an invalid one never reaches a supervisor. Unknown
keys are refused too (OTP ignores them), and so is `significant`: there is no auto_shutdown here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from actors import Ref, Statistics, Worker, actor_worker
from supervisors.errors import InvalidSpec
from supervisors.restart import Restart, require_seconds

if TYPE_CHECKING:
    from actors import Actor, Registry

Kind = Literal["worker", "supervisor"]
Probe = Callable[[], Statistics | None]
T = TypeVar("T")


class Shutdown(Enum):
    """How long a child may take to end when it is asked to, where that is not a number."""

    INFINITY = "infinity"  # it is waited for, however long; meant for supervisors
    KILL = "kill"  # it is not asked: its scope is cancelled at once


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A child and its policy. Raises InvalidSpec, naming the field, if anything is wrong.

    `start` is any worker (see `actors.Worker`), run anew for each incarnation; it must be ready
    within `start_timeout` seconds. `shutdown` is how many seconds it may take to end after it was
    asked: then its scope is cancelled. A worker without a polite stop is asked by cancelling it,
    and may take that long to clean up. `probe` gives its mailbox's figures to the snapshot.
    """

    id: str
    start: Worker
    restart: Restart = Restart.PERMANENT
    shutdown: float | Shutdown = 5.0
    kind: Kind = "worker"
    start_timeout: float | Shutdown = 30.0
    probe: Probe | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        require_id("id", self.id)
        if not callable(self.start):
            raise InvalidSpec("start", "an async function that takes task_status")
        if not isinstance(self.restart, Restart):
            raise InvalidSpec("restart", "PERMANENT, TRANSIENT or TEMPORARY")
        if not isinstance(self.shutdown, Shutdown):
            require_seconds("shutdown", self.shutdown)
        if self.kind not in ("worker", "supervisor"):
            raise InvalidSpec("kind", '"worker" or "supervisor"')
        if self.start_timeout is not Shutdown.INFINITY:
            require_seconds("start_timeout", self.start_timeout, positive=True)
        if self.probe is not None and not callable(self.probe):
            raise InvalidSpec("probe", "a function that returns mailbox statistics")

    @staticmethod
    def of(values: Mapping[str, Any]) -> ChildSpec:
        """The same from a mapping; an unknown or missing key is an InvalidSpec naming it."""
        return from_mapping(ChildSpec, values)

    @staticmethod
    def actor(
        id: str,  # noqa: A002  (OTP's word, and the field's)
        factory: Callable[[], Actor],
        registry: Registry,
        *,
        name: str | None = None,
        restart: Restart = Restart.PERMANENT,
        shutdown: float | Shutdown = 5.0,
        mailbox_limit: int = 1000,
        init_timeout: float = 5.0,
        terminate_timeout: float = 5.0,
    ) -> ChildSpec:
        """An actor as a child: registered as `name` (or `id`), its mailbox shown in snapshots."""
        name = id if name is None else name
        require_id("name", name)
        worker = actor_worker(
            factory,
            registry,
            name,
            mailbox_limit=mailbox_limit,
            init_timeout=init_timeout,
            terminate_timeout=terminate_timeout,
        )
        return ChildSpec(
            id, worker, restart=restart, shutdown=shutdown,
            start_timeout=init_timeout + 1.0, probe=Ref(registry, name).statistics,
        )  # fmt: skip


def require_id(name: str, value: object) -> None:
    """Refuse, by the name of the field, what is not a text that can name a child."""
    if not isinstance(value, str) or not value:
        raise InvalidSpec(name, "a text that is not empty")


def from_mapping(kind: Callable[..., T], values: Mapping[str, Any]) -> T:
    """A specification of dataclass `kind` from plain keys; all of them must be its fields."""
    allowed = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key in ("significant", "auto_shutdown"):
            raise InvalidSpec(key, "supervisors here do not shut themselves down")
        if key not in allowed:
            raise InvalidSpec(key, "unknown")
    try:
        return kind(**values)
    except TypeError as error:
        missing = str(error).rpartition("argument")[2].strip(" s:").split("'")[1]
        raise InvalidSpec(missing, "missing") from None

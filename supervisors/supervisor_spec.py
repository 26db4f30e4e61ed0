"""What a supervisor is told about itself: its children, its strategy, its patience."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors import Registry
from supervisors.child_spec import ChildSpec, from_mapping, require_id
from supervisors.errors import InvalidSpec
from supervisors.restart import Backoff, Intensity, Strategy, require_seconds

ReadChildren = Callable[[], Awaitable[Sequence[ChildSpec]]]
Children = Sequence[ChildSpec] | ReadChildren

THREE_IN_FIVE_SECONDS = Intensity()


@dataclass(frozen=True, slots=True)
class SupervisorSpec:
    """A supervisor. Raises InvalidSpec, naming the field, if anything is wrong.

    `children` are started in their order; if it is an async function it is asked at each start of
    the supervisor, so that a rebuilt one reads again what should be there. Children that come
    from it or from `start_child` are dynamic: under ONE_FOR_ONE they are stopped in parallel, and
    one that says Ignore is forgotten. `max_children` counts all, also those being restarted.
    With `backoff` None a restart is immediate, as in OTP. `grace` is how many seconds a cancelled
    child may take before it counts as leaked; more than a worker's clean-up needs. With `name`
    and `registry` the supervisor takes orders, through a SupervisorRef.
    """

    children: Children = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: Intensity = THREE_IN_FIVE_SECONDS
    backoff: Backoff | None = None
    max_children: int | None = None
    grace: float = 1.0
    name: str | None = None
    registry: Registry | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.strategy, Strategy):
            raise InvalidSpec("strategy", "ONE_FOR_ONE, ONE_FOR_ALL or REST_FOR_ONE")
        if not isinstance(self.intensity, Intensity):
            raise InvalidSpec("intensity", "an Intensity")
        if self.backoff is not None and not isinstance(self.backoff, Backoff):
            raise InvalidSpec("backoff", "a Backoff or None")
        if self.max_children is not None and (
            type(self.max_children) is not int or self.max_children < 0
        ):
            raise InvalidSpec("max_children", "a whole number, zero or more, or None")
        if not callable(self.children):
            check_children(self.children, self.max_children)
        require_seconds("grace", self.grace)
        if self.name is not None:
            require_id("name", self.name)
        if self.registry is not None and not isinstance(self.registry, Registry):
            raise InvalidSpec("registry", "an actors.Registry")
        if (self.name is None) != (self.registry is None):
            raise InvalidSpec("registry" if self.name else "name", "name and registry go together")

    @staticmethod
    def of(values: Mapping[str, Any]) -> SupervisorSpec:
        """The same from a mapping; an unknown key is an InvalidSpec naming it."""
        return from_mapping(SupervisorSpec, values)


def check_children(children: object, limit: int | None = None) -> tuple[ChildSpec, ...]:
    """The children as a tuple, all of them specifications, no id twice, no more than `limit`."""
    if not isinstance(children, Sequence) or isinstance(children, str):
        raise InvalidSpec("children", "a sequence of ChildSpec, or an async function giving one")
    seen: set[str] = set()
    for child in children:
        if not isinstance(child, ChildSpec):
            raise InvalidSpec("children", f"{type(child).__name__} is not a ChildSpec")
        if child.id in seen:
            raise InvalidSpec("children", f"{child.id!r} is there twice")
        seen.add(child.id)
    if limit is not None and len(children) > limit:
        raise InvalidSpec("children", f"more than max_children, {limit}")
    return tuple(children)

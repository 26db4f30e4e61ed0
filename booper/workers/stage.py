"""Stage: where the instances' actors come and go: under the supervisor of all instances."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from actors import ActorError, Ref
from booper.workers import names
from supervisors import AlreadyPresent, AlreadyStarted, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import Registry
    from booper.domain.wanted import Wanted
    from supervisors import ChildSpec, SupervisorRef


class Stage:
    """The keeper's hands."""

    def __init__(
        self,
        supervisor: SupervisorRef,
        registry: Registry,
        instance: Callable[[Wanted], ChildSpec],
        grace: float,
    ) -> None:
        """`instance`: the child that plays a row; `grace`: seconds it gets to finish."""
        self._supervisor = supervisor
        self._registry = registry
        self._instance = instance
        self._grace = grace

    async def running(self) -> set[str]:
        """The keys of the children that are there, also of those just starting."""
        children = await self._supervisor.which_children()
        return {child.id for child in children if child.age is not None}

    async def start(self, wanted: Wanted) -> None:
        """Start one; nothing if its supervisor is busy with it already."""
        with suppress(AlreadyStarted, AlreadyPresent):
            await self._supervisor.start_child(self._instance(wanted))

    async def stop(self, key: str) -> None:
        """Stop one: what is in flight ends first. Nothing if it is not there.

        The actor is asked by itself, so that the supervisor has nothing to wait for meanwhile.
        """
        with suppress(ActorError):
            await Ref(self._registry, names.instance(key)).stop(self._grace)
        with suppress(NotFound):
            await self._supervisor.terminate_child(key)

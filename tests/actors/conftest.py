"""What every kernel test needs: a registry, and actors behind a barrier.

Tests ask for `autojump_clock`, so no time passes; pytest-trio finds a clock only among a test's own
arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors import Actor, Ref, Registry, Stop, actor_worker

if TYPE_CHECKING:
    from collections.abc import Callable


class Started:
    """Passes `started` on, and notes the stop."""

    def __init__(
        self, stops: dict[str, Stop], name: str, status: trio.TaskStatus[Stop | None]
    ) -> None:
        self.stops = stops
        self.name = name
        self.status = status
        self.is_started = False

    def started(self, value: Stop | None = None) -> None:
        assert value is not None
        self.is_started = True
        self.stops[self.name] = value
        self.status.started(value)


class House:
    """Starts actors in the test's nursery and keeps how each of them ended.

    `ended[name]` is None after a normal end, else the exception; the name is missing while the
    actor lives, and `gone` waits for it. Whoever does not start raises out of `start`.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self.registry = Registry()
        self.nursery = nursery
        self.ended: dict[str, BaseException | None] = {}
        self.stops: dict[str, Stop] = {}
        self.scopes: dict[str, trio.CancelScope] = {}
        self._gone: dict[str, trio.Event] = {}

    def ref(self, name: str) -> Ref:
        """The address of whoever is called `name`."""
        return Ref(self.registry, name)

    async def start(self, factory: Callable[[], Actor], name: str = "one", **limits: Any) -> Ref:
        """Start an actor and return its address."""
        worker = actor_worker(factory, self.registry, name, **limits)
        self.ended.pop(name, None)
        scope = self.scopes[name] = trio.CancelScope()
        gone = self._gone[name] = trio.Event()

        async def barrier(*, task_status: trio.TaskStatus[Stop | None]) -> None:
            crash: BaseException | None = None
            status = Started(self.stops, name, task_status)
            with scope:
                try:
                    await worker(task_status=status)
                except Exception as error:
                    if not status.is_started:
                        raise
                    crash = error
            self.ended[name] = crash
            gone.set()

        await self.nursery.start(barrier)
        return self.ref(name)

    async def gone(self, name: str = "one") -> BaseException | None:
        """Wait until the actor's worker has ended, and say how."""
        await self._gone[name].wait()
        return self.ended[name]

    def kill(self, name: str = "one") -> None:
        """Cancel the actor's worker."""
        self.scopes[name].cancel()


@pytest.fixture
def house(nursery: trio.Nursery) -> House:
    """An empty house."""
    return House(nursery)

"""What every route may reach: handed to the app once, when it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.workers.messages import Wake, hint

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import Registry
    from booper.domain.routing import Routes
    from booper.ports import Ports
    from booper.settings import Settings
    from supervisors import Snapshot


class House(NamedTuple):
    """The ports, the living actors, and how to look at the whole tree."""

    ports: Ports
    registry: Registry
    settings: Settings
    routes: Routes
    snapshot: Callable[[], Snapshot | None]
    stopping: Callable[[], bool]

    def wake(self, name: str) -> None:
        """Tell an actor that there is something to do; only a hint, so nobody home is fine."""
        hint(self.registry, name, Wake())

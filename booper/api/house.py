"""What every route may reach: handed to the app once, when it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.workers.messages import Wake, hint

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import Registry
    from booper.api.known import Known
    from booper.ports import Limiter, Passwords, Ports
    from booper.settings import Settings
    from booper.store.server_keys import ServerKeys
    from booper.workers.registrar import Registrar
    from supervisors import Snapshot


class House(NamedTuple):
    """The ports, the living actors, and how to look at the whole tree."""

    ports: Ports
    registry: Registry
    settings: Settings
    registrar: Registrar
    snapshot: Callable[[], Snapshot | None]
    stopping: Callable[[], bool]
    known: Known
    keys: ServerKeys
    passwords: Passwords
    limiter: Limiter
    node: str = ""  # which of the nodes this is

    def wake(self, name: str) -> None:
        """Tell an actor that there is something to do; only a hint, so nobody home is fine."""
        hint(self.registry, name, Wake())

"""Router: which instance sends, as the directory knows it, remembered for whoever asks again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.domain.routing import Asked, RouteCache
from booper.domain.wanted import OPERATOR

if TYPE_CHECKING:
    from booper.ports import Clock
    from booper.workers.directory import Directory


class Way(msgspec.Struct, frozen=True):
    """Whether anything can be sent through a provider, and through whose instance.

    `state`: enabled, disabled or stopped; what is sent to one that is not enabled waits for it.
    `rotation`: how a change of its credential stands, where one is open.
    """

    provider: str
    configured: bool
    via: str | None  # own, operator
    instance: str | None  # its name, where it is the asker's own
    state: str | None
    rotation: str | None


class DirectoryRouter:
    """Answers from memory: no route costs the store anything, also one that leads nowhere."""

    def __init__(self, directory: Directory, clock: Clock, cache: RouteCache | None = None) -> None:
        self._directory = directory
        self._clock = clock
        self._cache = RouteCache() if cache is None else cache

    def resolve(self, provider: str, instance: str, tenant: str = OPERATOR) -> str | None:
        """The key of the instance that sends, or None: not configured."""
        directory = self._directory
        return self._cache.find(
            Asked(tenant, provider, instance),
            directory.mark(tenant, provider),
            self._clock.monotonic(),
            lambda: directory.resolve(provider, instance, tenant),
        )

    def way(self, tenant: str, provider: str) -> Way:
        """Whether a tenant's notifications can go out through a provider.

        True for every kind of credential, because an instance exists only with one that was
        proved; the default of the operator counts, since it would send.
        """
        key = self.resolve(provider, "", tenant)
        found = self._directory.get(key) if key is not None else None
        if found is None:
            return Way(provider, False, None, None, None, None)  # noqa: FBT003 - named above
        own = found.tenant == tenant
        return Way(
            provider,
            configured=True,
            via="own" if own else "operator",
            instance=found.name if own else None,
            state=found.state,
            rotation=found.rotation if own else None,
        )

"""Routing: which provider instance sends for a device, and what is remembered of it.

An app's own instance sends, else the operator's default, else nobody: "not configured". The overlay
is per provider, never per field, so no operator's secret gets to a tenant's server.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple, Protocol

from booper.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Router(Protocol):
    """Whoever knows the way."""

    def resolve(self, provider: str, instance: str, tenant: str = "") -> str | None:
        """The key of the instance that sends for a device of that tenant's notification ("" is the
        public's and the operator's), or None: not configured."""
        ...


class Asked(NamedTuple):
    """Which way: a tenant's, to a provider, by the name of an instance or ("") by default."""

    tenant: str
    provider: str
    instance: str


Mark = tuple[int, int]
"""Changes so far to what a route depends on: the tenant's instances and the operator's."""


class _Known(NamedTuple):
    key: str | None
    mark: Mark
    until: float


class RouteCache:
    """Routes already found, also those that lead nowhere.

    One holds as long as nothing it depends on has changed, and for `life` seconds at most, should
    a change have been missed. Of more than `size`, the least recently used is forgotten. Finding
    one is a single step, so any number of askers build it once.
    """

    def __init__(self, size: int = 4096, life: float = 30.0) -> None:
        self._size = size
        self._life = life
        self._known: OrderedDict[Asked, _Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def find(
        self, asked: Asked, mark: Mark, now: float, build: Callable[[], str | None]
    ) -> str | None:
        """The route as it is known, else as `build` finds it. `mark` was read before; `now` is
        monotonic."""
        known = self._known.get(asked)
        if known is None or known.mark != mark or now >= known.until:
            known = _Known(build(), mark, now + self._life)
            self._known[asked] = known
            if len(self._known) > self._size:
                self._known.popitem(last=False)
        self._known.move_to_end(asked)
        return known.key


class Routes:
    """The instances there are, by name → provider; immutable, so a fan-out sees one truth."""

    def __init__(self, instances: Mapping[str, str], defaults: Mapping[str, str]) -> None:
        """`defaults`: provider → instance; a provider with a single instance needs none."""
        self.instances = dict(instances)
        self.defaults = dict(defaults)
        for provider in set(instances.values()) - set(defaults):
            own = [name for name, kind in instances.items() if kind == provider]
            if len(own) == 1:
                self.defaults[provider] = own[0]
        for provider, name in self.defaults.items():
            if self.instances.get(name) != provider:
                raise Misconfigured(f"The default for {provider} is {name!r}, not one of its own.")

    def resolve(self, provider: str, instance: str, tenant: str = "") -> str | None:  # noqa: ARG002
        """The instance that sends for a device, or None: not configured."""
        if instance:
            return instance if self.instances.get(instance) == provider else None
        return self.defaults.get(provider)

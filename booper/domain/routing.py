"""Routing: which provider instance sends for a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping


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

    def resolve(self, provider: str, instance: str) -> str | None:
        """The instance that sends for a device, or None: not configured."""
        if instance:
            return instance if self.instances.get(instance) == provider else None
        return self.defaults.get(provider)

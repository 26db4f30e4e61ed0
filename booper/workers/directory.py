"""Directory: which instances there are, as the last good look at the rows saw them.

In memory, so that fan-out, dispatcher and routes need not ask the store; one look-up costs the
same for ten instances as for ten thousand. A failed read changes nothing here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain.errors import Misconfigured
from booper.domain.wanted import OPERATOR, Wanted, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from booper.domain.routing import Mark


class Directory:
    """Every wanted instance by its key, and who is the default for whom."""

    def __init__(self, defaults: Mapping[str, str] | None = None) -> None:
        """`defaults`: provider → the operator's instance, as the settings say."""
        self._defaults = dict(defaults or {})
        self._wanted: dict[str, Wanted] = {}
        self._own: dict[tuple[str, str], dict[str, Wanted]] = {}
        self._changes: dict[tuple[str, str], int] = {}

    def __iter__(self) -> Iterator[Wanted]:
        return iter(list(self._wanted.values()))

    def __len__(self) -> int:
        return len(self._wanted)

    def get(self, key: str) -> Wanted | None:
        """The instance of that key, as far as is known here."""
        return self._wanted.get(key)

    def put(self, wanted: Wanted) -> bool:
        """Know this row; False if a newer one is known already."""
        known = self._wanted.get(wanted.key)
        if known is not None:
            if known.version >= wanted.version:
                return False
            self.remove(known)
        self._wanted[wanted.key] = wanted
        self._own.setdefault((wanted.tenant, wanted.provider), {})[wanted.key] = wanted
        self._count(wanted)
        return True

    def remove(self, wanted: Wanted) -> None:
        """Forget it, unless a newer one is known."""
        known = self._wanted.get(wanted.key)
        if known is None or known.version > wanted.version:
            return
        del self._wanted[known.key]
        place = (known.tenant, known.provider)
        del self._own[place][known.key]
        if not self._own[place]:
            del self._own[place]
        self._count(known)

    def mark(self, tenant: str, provider: str) -> Mark:
        """A figure that moves with every change to what a route of the tenant may lead to."""
        count = self._changes.get
        return count((tenant, provider), 0), count((OPERATOR, provider), 0)

    def check_defaults(self) -> None:
        """Misconfigured if a default of the settings is not one of its provider's instances."""
        for provider, name in self._defaults.items():
            known = self._wanted.get(name)
            if known is None or known.provider != provider:
                raise Misconfigured(
                    f"The default for {provider} is {name!r}, not one of its own.",
                    code="invalid_default",
                )

    def of(self, tenant: str) -> Sequence[Wanted]:
        """The instances of one tenant, by name."""
        return sorted((one for one in self if one.tenant == tenant), key=lambda one: one.name)

    def resolve(self, provider: str, instance: str, tenant: str = OPERATOR) -> str | None:
        """The key of the instance that sends for a device, or None: not configured.

        A name means the tenant's own instance or else the operator's of that name. Without a name
        it is the tenant's default, else the operator's. Stopped or disabled ones count: what they
        would send waits for them, rather than going out through somebody else.
        """
        if instance:
            for owner in (tenant, OPERATOR):
                known = self._wanted.get(key_of(owner, instance))
                # Who names "another-app/main" names nothing: that is a key, not a name.
                if known and known.provider == provider and known.tenant == owner:
                    return known.key
            return None
        own = self._default(tenant, provider) if tenant else None
        return own or self._default(OPERATOR, provider)

    def _count(self, wanted: Wanted) -> None:
        place = (wanted.tenant, wanted.provider)
        self._changes[place] = self._changes.get(place, 0) + 1

    def _default(self, tenant: str, provider: str) -> str | None:
        """The preferred one, the one the settings name, or the only one."""
        found = self._own.get((tenant, provider))
        if not found:
            return None
        if len(found) == 1:
            return next(iter(found))
        for wanted in found.values():
            if wanted.preferred:
                return wanted.key
        named = self._defaults.get(provider) if tenant == OPERATOR else None
        return named if named in found else None

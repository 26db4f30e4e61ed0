"""Codecs: what a push provider wants on the wire, and what its answers mean. No I/O.

PROVIDERS is the one list of providers.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from booper.domain.errors import Invalid, Misconfigured
from booper.providers.apns import Apns
from booper.providers.fcm import Fcm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.providers.provider import Codec, Provider

PROVIDERS: dict[str, Provider] = {provider.name: provider for provider in (Apns(), Fcm())}


def provider_named(name: str, pointer: str = "/provider") -> Provider:
    """The provider of that name, or Invalid."""
    try:
        return PROVIDERS[name]
    except KeyError:
        known = ", ".join(sorted(PROVIDERS))
        raise Invalid(
            f"There is no provider {name!r}; there is {known}.",
            code="unknown_provider",
            pointer=pointer,
        ) from None


def spellings(device_token: str) -> set[str]:
    """The ways in which a device token may be stored: each provider has its own."""
    found = set()
    for provider in PROVIDERS.values():
        with suppress(Invalid):
            found.add(provider.device_token(device_token))
    return found


def codec(name: str, table: Mapping[str, object]) -> Codec:
    """The codec for the settings of instance `name`; Misconfigured says what is wrong."""
    settings = dict(table)
    kind = settings.pop("provider", None)
    if not isinstance(kind, str) or kind not in PROVIDERS:
        raise Misconfigured(
            f"instances.{name}: provider is {kind!r}; there is {', '.join(sorted(PROVIDERS))}.",
            code="unknown_provider",
        )
    return PROVIDERS[kind].codec(name, settings)

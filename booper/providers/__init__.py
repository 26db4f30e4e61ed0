"""Codecs: what a push provider wants on the wire, and what its answers mean. No I/O.

PROVIDERS is the one list of providers.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlsplit

import msgspec

from booper.domain import protection
from booper.domain.errors import Invalid, Misconfigured
from booper.domain.secret import Secret
from booper.providers.apns import Apns
from booper.providers.expo import Expo
from booper.providers.fcm import Fcm
from booper.providers.ntfy import Ntfy
from booper.providers.provider import Publishing, StampCodec
from booper.providers.webpush import WebPush

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.providers.provider import Codec, Provider

PROVIDERS: dict[str, Provider] = {
    provider.name: provider for provider in (Apns(), Fcm(), Ntfy(), Expo(), WebPush())
}


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


def codec(name: str, table: Mapping[str, object], now: float) -> Codec:
    """The codec for the settings of instance `name`; Misconfigured says what is wrong.

    A client certificate must be good at `now` (Unix seconds).
    """
    _, settings = protection.split(name, table)
    kind = settings.pop("provider", None)
    if not isinstance(kind, str) or kind not in PROVIDERS:
        raise Misconfigured(
            f"instances.{name}: provider is {kind!r}; there is {', '.join(sorted(PROVIDERS))}.",
            code="unknown_provider",
        )
    made = PROVIDERS[kind].codec(name, settings)
    certificate = made.endpoint.certificate if isinstance(made, StampCodec) else None
    if certificate is not None and now > certificate.not_after:
        raise Misconfigured(
            f"instances.{name}: the certificate has expired.", code="certificate_expired"
        )
    if certificate is not None and now < certificate.not_before:
        raise Misconfigured(
            f"instances.{name}: the certificate is not good yet.", code="certificate_not_yet_valid"
        )
    return made


def shown(provider: str, settings: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What may be seen of an instance's settings, and what may not: the credential.

    A secret shows as `has_…`; so does whatever its provider does not know. What is public of a
    credential shows as well.
    """
    public = {
        field.encode_name
        for field in msgspec.structs.fields(PROVIDERS[provider].config)
        if Secret not in (field.type, *get_args(field.type))
    } | set(protection.Protection.__struct_fields__)
    secrets = {name: value for name, value in settings.items() if name not in public}
    view = {name: value for name, value in settings.items() if name in public}
    view |= {f"has_{name}": True for name in secrets}
    if isinstance(known := PROVIDERS[provider], Publishing):
        with suppress(Misconfigured):
            view |= known.published(settings)
    if "proxy" in settings:
        view.pop("has_proxy")
        view["proxy"] = shown_proxy = str(settings["proxy"])
        if "@" in shown_proxy:  # a password may stand before it
            parts = urlsplit(shown_proxy)
            view["proxy"] = f"{parts.scheme}://…@{parts.netloc.rpartition('@')[2]}"
        else:
            del secrets["proxy"]
    return view, secrets

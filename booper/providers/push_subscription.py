"""A browser's PushSubscription: where its messages go and with which keys; our device token for it.

Its one spelling is the JSON that `PushSubscription.toJSON()` gives, reduced to what is needed:
`{"endpoint":"https://…","keys":{"auth":"…","p256dh":"…"}}`. UnifiedPush gives the same three texts.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from booper.domain.errors import Invalid
from booper.providers import base64url, ece

LONGEST = 2048  # characters of an endpoint
_ENDPOINT = re.compile(r"https://[A-Za-z0-9.\-\[\]:_]+(?:[/?][!-~]*)?", re.IGNORECASE)
_NOT_IN_A_URL = re.compile(r'["<>\\^`{|}#]')


class PushSubscription(NamedTuple):
    """One device, ready to be encrypted for. `origin` is what VAPID's `aud` says (RFC 6454)."""

    endpoint: str
    origin: str
    host: str
    receiver: ece.Receiver


class _Keys(msgspec.Struct):
    p256dh: str
    auth: str


class _Wire(msgspec.Struct):
    endpoint: str
    keys: _Keys


_decode = msgspec.json.Decoder(_Wire).decode


def read(text: str) -> PushSubscription:
    """The subscription in a JSON text; Invalid, with a pointer into it, says what is wrong."""
    try:
        wire = _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise _invalid(
            "A push subscription is an object with endpoint, keys.p256dh and keys.auth."
        ) from None
    host, origin = _place(wire.endpoint)
    try:
        keys = ece.receiver(base64url.decoded(wire.keys.p256dh), base64url.decoded(wire.keys.auth))
    except ValueError:
        raise _invalid(
            "keys.p256dh is a point on P-256 (65 bytes) and keys.auth has 16 bytes, in base64url.",
            "/keys",
        ) from None
    start = wire.endpoint.index("/", 8) if "/" in wire.endpoint[8:] else len(wire.endpoint)
    return PushSubscription(origin + wire.endpoint[start:], origin, host, keys)


def spelled(subscription: PushSubscription) -> str:
    """The subscription as a device token: the same text for every way of writing it."""
    keys = {
        "auth": base64url.encoded(subscription.receiver.auth),
        "p256dh": base64url.encoded(subscription.receiver.point),
    }
    return msgspec.json.encode({"endpoint": subscription.endpoint, "keys": keys}).decode()


def _place(endpoint: str) -> tuple[str, str]:
    """Host and origin of an endpoint: https, no user, no fragment; whether the address behind it
    may be spoken to is the SSRF guard's question, asked when it is dialled."""
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if (
        not host
        or len(endpoint) > LONGEST
        or not _ENDPOINT.fullmatch(endpoint)
        or _NOT_IN_A_URL.search(endpoint)
        or port == 0
    ):
        raise _invalid(
            "endpoint must be an https:// address without user, fragment or spaces.", "/endpoint"
        )
    shown = f"[{host}]" if ":" in host else host
    return host, f"https://{shown}" if port in (None, 443) else f"https://{shown}:{port}"


def _invalid(detail: str, where: str = "") -> Invalid:
    return Invalid(detail, code="invalid_device_token", pointer=where)

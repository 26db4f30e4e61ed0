"""VAPID (RFC 8292): who we are, said to each push service with a token signed for it alone."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from booper.domain.errors import Misconfigured
from booper.domain.secret import Secret
from booper.providers import base64url, ece, jwt

LIFETIME = 12 * 3600  # seconds that a token is good for: the RFC allows 24 hours
RENEW = 6 * 3600.0  # seconds until new ones are made: either side's clock may be hours off
KEPT = 512  # origins; there are four large ones, and any number of small
_RAW = re.compile(r"[A-Za-z0-9_-]{43}=?")  # 32 bytes, as npm's web-push and its like write a key
_SUBJECT = re.compile(r"mailto:[!-;=?-~]+@[!-;=?-~]+|https://[!-~]+")


class KeyPair(NamedTuple):
    """A new VAPID key: the private half as PEM, the public one as browsers want it (base64url)."""

    private_key: Secret
    public_key: str


def generate() -> KeyPair:
    """A key pair nobody has had before."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    return KeyPair(Secret(pem), base64url.encoded(ece.public_point(key)))


def private_key(text: Secret, owner: str) -> ec.EllipticCurvePrivateKey:
    """The key in a PEM text or in 32 base64url bytes; Misconfigured says what is wrong."""
    bare = text.reveal().strip()
    if not _RAW.fullmatch(bare):
        return jwt.es256_key(text, owner)
    try:
        number = int.from_bytes(base64url.decoded(bare), "big")
        return ec.derive_private_key(number, ec.SECP256R1())
    except ValueError:
        raise Misconfigured(
            f"{owner}: private_key is not a key of the curve P-256.", code="invalid_key"
        ) from None


def checked_subject(text: str, owner: str) -> str:
    """Whom a push service may write to about us; Misconfigured unless mailto: or https:."""
    if not _SUBJECT.fullmatch(text) or len(text) > 256:
        raise Misconfigured(
            f"{owner}: subject must be mailto:you@example.com or an https:// address.",
            code="bad_subject",
        )
    return text


class Vapid:
    """One key's tokens: signed once per origin and moment, kept for the KEPT latest origins."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, subject: str) -> None:
        self._key = key
        self._subject = subject
        self._kept: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self.public_key = base64url.encoded(ece.public_point(key))

    def authorization(self, origin: str, now: float) -> str:
        """The header's value for `origin`, good for LIFETIME seconds after `now` (Unix seconds).

        Asked again with the same `now`, it gives the same text.
        """
        kept = self._kept.get(origin)
        if kept is not None and kept[0] == now:
            self._kept.move_to_end(origin)
            return kept[1]
        claims = {"aud": origin, "exp": int(now) + LIFETIME, "sub": self._subject}
        value = f"vapid t={jwt.es256(self._key, claims).reveal()}, k={self.public_key}"
        self._kept[origin] = (now, value)
        self._kept.move_to_end(origin)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return value

"""Credential: a secret that we hand out once and know again by its hash.

Spelled `kind_name_secretcheck`, as `bpk_4mx…_…`: the name finds the row, the secret (160 bits)
proves it, the check shows a typing error without a look at any row. All in lower-case base32, so
that a double click takes the whole and no letter is mistaken for another. The secret is random, so
one SHA-256 is enough: who steals the hashes learns nothing that opens a door.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import NamedTuple

from booper.domain.secret import Secret

API_KEY = "bpk"
REFRESH = "bpr"
DEVICE = "bds"
CHANNEL = "bcs"  # of whoever made a public channel
PUBLISH = "bpp"  # publishes to one public channel

NAME, SECRET = 10, 20  # bytes
ENTROPY = NAME + SECRET
_SHAPE = re.compile(r"([a-z]{3})_([a-z2-7]{16})_([a-z2-7]{32})([a-z2-7]{6})")
NOBODY = "0" * 64  # what is compared when there is no row: no hash is this one


class Credential(NamedTuple):
    """One, taken apart. `name` may be shown and stored; `secret` only hashed."""

    kind: str
    name: str
    secret: Secret

    @property
    def hash(self) -> str:
        """What is stored: SHA-256 over all of it, in hexadecimal."""
        text = f"{self.kind}_{self.name}_{self.secret.reveal()}"
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def prefix(self) -> str:
        """What may be shown to tell one from another."""
        return f"{self.kind}_{self.name}"

    def proves(self, stored: str | None) -> bool:
        """Whether this is the one whose hash was stored; as long for None as for another."""
        return hmac.compare_digest(self.hash, stored or NOBODY) and stored is not None

    def spelled(self) -> Secret:
        """The whole, to hand out once."""
        text = f"{self.prefix}_{self.secret.reveal()}"
        return Secret(text + _check(text))


def minted(kind: str, entropy: bytes) -> Credential:
    """A new one out of ENTROPY unguessable bytes."""
    if len(entropy) != ENTROPY:
        raise ValueError(f"a credential is made of {ENTROPY} bytes")
    return Credential(kind, _text(entropy[:NAME]), Secret(_text(entropy[NAME:])))


def parsed(text: str) -> Credential | None:
    """A credential as it was handed out; None for anything else."""
    found = _SHAPE.fullmatch(text)
    if found is None or not hmac.compare_digest(_check(text[:-6]), found[4]):
        return None
    return Credential(found[1], found[2], Secret(found[3]))


def _check(text: str) -> str:
    return _text(hashlib.sha256(text.encode()).digest()[:5])[:6]  # five bytes are eight letters


def _text(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()

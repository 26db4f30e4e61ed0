"""The access JWT of a session: short-lived, signed with Ed25519, and with nothing else, ever.

RFC 7519, RFC 8725. The algorithm belongs to our key, never to what is presented; `kid` only picks
one of our own keys; every claim is required; a header that wants anything more is refused. What
this accepts is still only good while its session is: see api/auth.py.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

if TYPE_CHECKING:
    from booper.store.server_keys import ServerKey

ALGORITHM = "EdDSA"
ISSUER = "booper"
AUDIENCE = "booper:api"
LARGEST = 8192  # characters
LEEWAY = 30.0  # seconds that two nodes' clocks may differ
MARK = "eyJ"  # how every JWT begins
_HEADER = {"alg", "typ", "kid"}
_TEXTS = ("iss", "aud", "sub", "sid", "jti", "kid")


class Pass(NamedTuple):
    """What a good one says: whose session."""

    account: str
    session: str


def sign(key: ServerKey, account: str, session: str, jti: str, now: float, life: float) -> str:
    """A new one; good for `life` seconds."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": account,
        "sid": session,
        "jti": jti,
        "iat": int(now),
        "exp": int(now + life),
    }
    private = Ed25519PrivateKey.from_private_bytes(key.raw)
    return jwt.encode(claims, private, algorithm=ALGORITHM, headers={"kid": key.id})


def kid(text: str) -> str | None:
    """Which of our keys it claims to be signed with; None for what is none of ours at all."""
    if len(text) > LARGEST or not text.isascii():
        return None
    try:
        header = jwt.get_unverified_header(text)
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        return None
    if set(header) != _HEADER or header["alg"] != ALGORITHM or header["typ"] != "JWT":
        return None
    own = header["kid"]
    return own if isinstance(own, str) else None


def verify(text: str, key: ServerKey, now: float) -> Pass | None:
    """What it says, if that key signed it and it is its time; else None."""
    public = Ed25519PrivateKey.from_private_bytes(key.raw).public_key()
    try:
        # Times are ours to judge (the house's clock); all the rest is the library's.
        claims: dict[str, Any] = jwt.decode(
            text,
            public,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={
                "require": ["exp", "iat", "iss", "aud", "sub", "jti", "sid"],
                "strict_aud": True,
                "verify_exp": False,
                "verify_iat": False,
            },
        )
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        return None
    times = [claims["iat"], claims["exp"], claims.get("nbf", 0)]
    if not all(type(one) in (int, float) and math.isfinite(one) for one in times):
        return None
    issued, expires, begins = times
    if not max(issued, begins) - LEEWAY <= now < expires + LEEWAY or expires <= issued:
        return None
    if not all(isinstance(claims.get(one, ""), str) for one in _TEXTS):
        return None
    return Pass(claims["sub"], claims["sid"])

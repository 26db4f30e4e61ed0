"""Signing: the provider's private key, read and proved once, and the tokens made with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from booper.domain.errors import Misconfigured
from booper.domain.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping


def es256_key(pem: Secret, owner: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 key in a PEM text, after a trial signature; Misconfigured says what is wrong."""
    key = _private_key(pem, owner)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Misconfigured(
            f"{owner}: private_key is not on the curve P-256 that ES256 needs.", code="wrong_curve"
        )
    es256(key, {"iat": 0}, "trial")
    return key


def rs256_key(pem: Secret, owner: str) -> rsa.RSAPrivateKey:
    """The RSA key in a PEM text, after a trial signature; Misconfigured says what is wrong."""
    key = _private_key(pem, owner)
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < 2048:
        raise Misconfigured(
            f"{owner}: private_key is not an RSA key of 2048 bits or more.", code="bad_private_key"
        )
    rs256(key, {"iat": 0}, "trial")
    return key


def es256(key: ec.EllipticCurvePrivateKey, claims: Mapping[str, object], key_id: str) -> Secret:
    """A signed JWT (RFC 7519) with `kid` in its header."""
    return Secret(jwt.encode(dict(claims), key, algorithm="ES256", headers={"kid": key_id}))


def rs256(key: rsa.RSAPrivateKey, claims: Mapping[str, object], key_id: str) -> Secret:
    """A signed JWT (RFC 7519) with `kid` in its header."""
    return Secret(jwt.encode(dict(claims), key, algorithm="RS256", headers={"kid": key_id}))


def _private_key(pem: Secret, owner: str) -> object:
    """The library's own words are left out of the error: they may quote the key."""
    try:
        return load_pem_private_key(pem.reveal().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Misconfigured(
            f"{owner}: private_key is not a readable PEM private key.", code="bad_private_key"
        ) from None

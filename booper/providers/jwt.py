"""Signing: the provider's private key, read and proved once, and the tokens made with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jwt
from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from booper.domain.errors import Misconfigured
from booper.domain.secret import Secret
from booper.providers.key_text import key_text

if TYPE_CHECKING:
    from collections.abc import Mapping

SMALLEST = 2048  # bits of an RSA key
LARGEST = 8192  # a signature takes 10 ms then


def es256_key(pem: Secret, owner: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 key in a PEM text, after a trial signature; Misconfigured says what is wrong."""
    key = private_key(pem, owner)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Misconfigured(
            f"{owner}: private_key is not on the curve P-256 that ES256 needs.", code="wrong_curve"
        )
    es256(key, {"iat": 0}, "trial")
    return key


def rs256_key(pem: Secret, owner: str) -> rsa.RSAPrivateKey:
    """The RSA key in a PEM text, after a trial signature; Misconfigured says what is wrong."""
    key = private_key(pem, owner)
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < SMALLEST:
        raise Misconfigured(
            f"{owner}: private_key is not an RSA key of {SMALLEST} to {LARGEST} bits.",
            code="invalid_key",
        )
    return key


def _agree(key: rsa.RSAPrivateNumbers) -> bool:
    """Whether the parts of a key belong together (RFC 8017 §3.2)."""
    n, e = key.public_numbers.n, key.public_numbers.e
    p, q = key.p, key.q
    return (
        p % 2 == q % 2 == e % 2 == 1
        and min(p, q) > 1
        and p * q == n
        and 3 <= e < 1 << 32
        and 1 < key.d < n
        and e * key.d % (p - 1) == e * key.d % (q - 1) == 1
        and key.dmp1 == key.d % (p - 1)
        and key.dmq1 == key.d % (q - 1)
        and 0 < key.iqmp < p
        and key.iqmp * q % p == 1
    )


def _signs(key: rsa.RSAPrivateKey) -> bool:
    try:
        made = key.sign(b"trial", PKCS1v15(), SHA256())
        key.public_key().verify(made, b"trial", PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature, InternalError):
        return False
    return True


def es256(
    key: ec.EllipticCurvePrivateKey, claims: Mapping[str, object], key_id: str = ""
) -> Secret:
    """A signed JWT (RFC 7519) with `kid`, if there is one, in its header."""
    headers = {"kid": key_id} if key_id else None
    return Secret(jwt.encode(dict(claims), key, algorithm="ES256", headers=headers))


def rs256(key: rsa.RSAPrivateKey, claims: Mapping[str, object], key_id: str) -> Secret:
    """A signed JWT (RFC 7519) with `kid` in its header."""
    return Secret(jwt.encode(dict(claims), key, algorithm="RS256", headers={"kid": key_id}))


def private_key(pem: Secret, owner: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    """The first private key in a PEM text; Misconfigured if there is none, it wants a password, is
    of a kind that nobody takes, or is broken. Takes some milliseconds, whatever the text is.

    The library's own words are left out of the error: they may quote the key. Its validation of
    an RSA key looks for small factors for 30 ms, and for 300 in a key of 4096 bits, in which
    nothing else could run, so it is left out: the numbers must agree with each other, and a
    signature made with them must be good, which also shows whatever is wrong with the factors.
    """
    try:
        key = load_pem_private_key(
            key_text(pem.reveal()).encode(), None, unsafe_skip_rsa_key_validation=True
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
        key = None
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Misconfigured(
            f"{owner}: private_key is not a readable PEM private key.", code="invalid_key"
        )
    if key.key_size > LARGEST or not _agree(key.private_numbers()) or not _signs(key):
        raise Misconfigured(f"{owner}: private_key is a broken RSA key.", code="invalid_key")
    return key

"""Message encryption for Web Push (RFC 8291 over RFC 8188's aes128gcm), both directions.

Pure: the sender's one-time key pair and the salt are handed in. `once` draws them from the
cryptography library, which also draws the nonce inside every ECDSA signature.
"""

from __future__ import annotations

from hmac import digest
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RECORD = 4096  # bytes of a whole message that every push service takes (RFC 8030 §7.2)
_HEADER = 16 + 4 + 1 + 65  # salt, record size, length of the key's id, the key's id
LIMIT = RECORD - _HEADER - 16 - 1  # plaintext: less GCM's tag and the delimiter of the padding
_CURVE = ec.SECP256R1()
_ECDH = ec.ECDH()


class Receiver(NamedTuple):
    """A user agent's keys: its public key, the same as a point (65 bytes), its secret (16)."""

    public: ec.EllipticCurvePublicKey
    point: bytes
    auth: bytes


class Once(NamedTuple):
    """What encrypts a single message and is never used for another."""

    key: ec.EllipticCurvePrivateKey
    salt: bytes


def once() -> Once:
    """A new key pair and salt."""
    return Once(ec.generate_private_key(_CURVE), AESGCM.generate_key(128))


def receiver(point: bytes, auth: bytes) -> Receiver:
    """The keys of a subscription; ValueError unless a point on P-256 and 16 bytes."""
    if len(point) != 65 or len(auth) != 16:
        raise ValueError("p256dh has 65 bytes, auth 16")
    return Receiver(ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point), point, auth)


def public_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public half of a key as an uncompressed point (65 bytes)."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encrypt(plaintext: bytes, to: Receiver, by: Once) -> bytes:
    """The body of a push message: one record, no padding. ValueError above LIMIT bytes."""
    if len(plaintext) > LIMIT:
        raise ValueError(f"{len(plaintext)} bytes do not fit, {LIMIT} do")
    point = public_point(by.key)
    shared = by.key.exchange(_ECDH, to.public)
    key, nonce = _keys(shared, to.point, point, to.auth, by.salt)
    sealed = AESGCM(key).encrypt(nonce, plaintext + b"\x02", None)
    return by.salt + RECORD.to_bytes(4, "big") + b"\x41" + point + sealed


def decrypt(body: bytes, key: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """What a user agent reads; ValueError for a body that is not a message for it."""
    salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20:21]
    point, sealed = body[21:_HEADER], body[_HEADER:]
    if length != b"\x41" or not 17 < len(sealed) <= size:
        raise ValueError("not a message of one aes128gcm record")
    sender = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
    shared = key.exchange(_ECDH, sender)
    content_key, nonce = _keys(shared, public_point(key), point, auth, salt)
    try:
        padded = AESGCM(content_key).decrypt(nonce, sealed, None).rstrip(b"\x00")
    except InvalidTag:
        raise ValueError("not encrypted for this subscription") from None
    if not padded.endswith(b"\x02"):
        raise ValueError("not the last record")
    return padded[:-1]


def _keys(
    shared: bytes, receiver: bytes, sender: bytes, auth: bytes, salt: bytes
) -> tuple[bytes, bytes]:
    """The content encryption key and the nonce: RFC 8291 §3.4, HKDF written out."""
    pseudo = digest(auth, shared, "sha256")
    info = b"WebPush: info\x00" + receiver + sender + b"\x01"
    secret = digest(salt, digest(pseudo, info, "sha256"), "sha256")
    key = digest(secret, b"Content-Encoding: aes128gcm\x00\x01", "sha256")[:16]
    return key, digest(secret, b"Content-Encoding: nonce\x00\x01", "sha256")[:12]

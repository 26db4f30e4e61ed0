"""Private keys from strangers: what is read, and what is never handed to the library."""

from __future__ import annotations

import base64
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from booper.domain.errors import Misconfigured
from booper.domain.secret import Secret
from booper.providers import jwt
from booper.providers.key_text import key_text

CURVED = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
FORMATS = (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
DSA_OID = bytes.fromhex("06072a8648ce380401")
DH_OID = bytes.fromhex("06092a864886f70d010301")
DHX_OID = bytes.fromhex("06072a8648ce3e0201")
RSA_OID = bytes.fromhex("06092a864886f70d010101")


def tlv(tag: int, data: bytes) -> bytes:
    size = len(data)
    if size < 0x80:
        return bytes([tag, size]) + data
    width = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + size.to_bytes(width, "big") + data


def integer(value: int) -> bytes:
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def odd(bits: int) -> int:
    return secrets.randbits(bits) | 1 | 1 << (bits - 1)


def pem(der: bytes, label: str = "PRIVATE KEY") -> str:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n"


def pkcs8(oid: bytes, parameters: bytes, key: bytes) -> bytes:
    return tlv(0x30, integer(0) + tlv(0x30, oid + parameters) + tlv(4, key))


def dsa(bits: int) -> bytes:
    """Numbers of that size, as somebody who means us harm would choose them."""
    parameters = tlv(0x30, integer(odd(bits)) + integer(odd(bits - 1)) + integer(3))
    return pkcs8(DSA_OID, parameters, integer(odd(bits - 3)))


def traditional_dsa(bits: int) -> bytes:
    return tlv(0x30, integer(0) + b"".join(integer(odd(bits)) for _ in range(5)))


HOSTILE = {
    "dsa": pem(dsa(32_768)),
    "dsa, traditional": pem(traditional_dsa(16_384), "DSA PRIVATE KEY"),
    "dsa, called a curve's": pem(dsa(8192), "EC PRIVATE KEY"),
    "dh": pem(pkcs8(DH_OID, tlv(0x30, integer(odd(8192)) + integer(2)), integer(odd(8190)))),
    "dhx": pem(pkcs8(DHX_OID, tlv(0x30, integer(odd(8192)) + integer(2) * 2), integer(3))),
    "dh, too large for OpenSSL": pem(
        pkcs8(DH_OID, tlv(0x30, integer(odd(16_384)) + integer(2)), integer(odd(16_380)))
    ),
    "rsa beyond all measure": pem(
        tlv(0x30, integer(0) + b"".join(integer(odd(20_000)) for _ in range(8))), "RSA PRIVATE KEY"
    ),
    "lengths of another kind": pem(b"\x30\x80\x02\x01\x00\x30\x80" + DSA_OID + bytes(64)),
    "nothing": pem(b""),
    "no base64": "-----BEGIN PRIVATE KEY-----\nAAA=A\n-----END PRIVATE KEY-----",
    "many beginnings": "-----BEGIN PRIVATE KEY-----\nAA" * 3000,
    "behind a password": CURVED.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hush")
    ).decode(),
}


# Reaches the library, which reads it as what it is called, and finds that it is not.
MISNAMED = {
    "dsa, called RSA": pem(traditional_dsa(8192), "RSA PRIVATE KEY"),
    "dsa, called a curve's": pem(dsa(1024), "EC PRIVATE KEY"),
    "rsa of numbers without sense": pem(
        pkcs8(RSA_OID, b"\x05\x00", tlv(0x30, integer(0) + integer(odd(4096)) * 8))
    ),
    "no key at all": pem(b"\x30\x00", "RSA PRIVATE KEY"),
}


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_what_nobody_takes_is_never_handed_to_the_library(kind: str) -> None:
    with pytest.raises(ValueError, match=r"^(no private key|no base64|another kind|too long)"):
        key_text(HOSTILE[kind])


@pytest.mark.parametrize("kind", [*HOSTILE, *MISNAMED])
def test_and_it_is_told_as_a_bad_key(kind: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        jwt.private_key(Secret((HOSTILE | MISNAMED)[kind]), "main")
    assert caught.value.code == "invalid_key"


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("key", [CURVED, RSA])
def test_good_keys_pass_in_every_form(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, format_: PrivateFormat
) -> None:
    text = key.private_bytes(Encoding.PEM, format_, NoEncryption()).decode()
    for around in (text, text.replace("\n", "\r\n"), f"Bag Attributes\n  x: y\n{text}rest"):
        read = load_pem_private_key(key_text(around).encode(), None)
        assert isinstance(read, type(key))
        assert read.private_numbers() == key.private_numbers()


def test_the_largest_keys_that_are_taken_pass() -> None:
    """Written, not generated: that would take seconds."""
    for label, der in (
        (
            "RSA PRIVATE KEY",
            tlv(0x30, integer(0) + integer(odd(8192)) * 2 + integer(odd(4096)) * 5),
        ),
        ("EC PRIVATE KEY", tlv(0x30, integer(1) + tlv(4, bytes(66)) + bytes(400))),
    ):
        assert key_text(pem(der, label)) == pem(der, label)

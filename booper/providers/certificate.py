"""A client certificate as a provider hands it out: read, matched with its key, its names told.

Source: Apple, "Establishing a certificate-based connection to APNs". The names are where Apple
writes them: the topic in the subject's user id, all topics in an extension of Apple's own, and
one extension for each of the two environments.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

from booper.domain.errors import Misconfigured
from booper.domain.secret import Secret
from booper.providers import jwt
from booper.providers.key_text import key_text
from booper.wire import ClientCertificate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

DEVELOPMENT = ObjectIdentifier("1.2.840.113635.100.6.3.1")
PRODUCTION = ObjectIdentifier("1.2.840.113635.100.6.3.2")
TOPICS = ObjectIdentifier("1.2.840.113635.100.6.3.6")
_UTF8 = 0x0C  # the tag of a text; each topic is followed by a sequence that says what for
_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    IndexError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
)
_KEY = "PRIVATE KEY-----"


class Proved(msgspec.Struct, frozen=True):
    """A certificate with the key that belongs to it. Without `topics` it names none.

    `sandbox` and `production`: the environments it was made for; both unless it says otherwise.
    """

    client: ClientCertificate
    topics: frozenset[str]
    sandbox: bool
    production: bool


def prove(owner: str, chain: Secret, private_key: Secret | None) -> Proved:
    """The PEM certificate (with what stands between it and its authority) and its private key.

    The key may stand in the same text. Misconfigured: `bad_certificate`, `invalid_key`, or
    `certificate_key_mismatch`; nothing of either is quoted.
    """
    text = chain.reveal()
    if private_key is None:
        if _KEY not in text:
            raise Misconfigured(f"{owner}: missing private_key.", code="missing_settings")
        private_key = chain
    try:
        certificates = x509.load_pem_x509_certificates(text.encode())
        own = certificates[0]
        public = _plain(own.public_key())
        names = topics(own)
        extensions = {extension.oid for extension in own.extensions}
    except _UNREADABLE:
        raise Misconfigured(
            f"{owner}: certificate is not a PEM certificate (a .p12 becomes one by"
            " `openssl pkcs12 -in cert.p12 -out cert.pem -nodes`).",
            code="bad_certificate",
        ) from None
    key = jwt.private_key(private_key, owner)
    if _plain(key.public_key()) != public:
        raise Misconfigured(
            f"{owner}: private_key is not the certificate's.", code="certificate_key_mismatch"
        )
    pem = b"".join(each.public_bytes(Encoding.PEM) for each in certificates).decode("ascii")
    client = ClientCertificate(
        Secret(f"{key_text(private_key.reveal())}{pem}"),
        own.not_valid_before_utc.timestamp(),
        own.not_valid_after_utc.timestamp(),
    )
    sandbox, production = DEVELOPMENT in extensions, PRODUCTION in extensions
    neither = not sandbox and not production
    return Proved(client, names, sandbox or neither, production or neither)


def topics(certificate: x509.Certificate) -> frozenset[str]:
    """What a certificate may push to: Apple's extension, or, if it has none that can be read, the
    subject's user id."""
    for extension in certificate.extensions:
        if extension.oid == TOPICS and isinstance(extension.value, x509.UnrecognizedExtension):
            with suppress(ValueError):
                ((_, inside),) = _elements(extension.value.value)
                return frozenset(text.decode() for tag, text in _elements(inside) if tag == _UTF8)
    ids = certificate.subject.get_attributes_for_oid(NameOID.USER_ID)
    return frozenset(str(attribute.value) for attribute in ids)


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements that stand in a row in DER (X.690 §8.1), one level deep."""
    at = 0
    while at < len(der):
        tag, size = der[at], der[at + 1] if at + 1 < len(der) else 0xFF
        at += 2
        if size & 0x80:
            width = size & 0x7F
            size = int.from_bytes(der[at : at + width], "big")
            at += width
        if at + size > len(der):
            raise ValueError("an element ends behind its end")
        yield tag, der[at : at + size]
        at += size


def _plain(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

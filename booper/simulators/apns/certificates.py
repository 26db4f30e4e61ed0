"""Push certificates: what the simulated Apple reads in one, and how it hands one out.

Source: Apple, "Establishing a certificate-based connection to APNs". The topic stands in the
subject's user id, all topics with what each is for in extension 1.2.840.113635.100.6.3.6, and
one extension for each environment.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from booper.providers.certificate import DEVELOPMENT, PRODUCTION, TOPICS, topics
from booper.simulators.apns.reasons import Verdict, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.simulators.certificates import Authority

_NOTHING = b"\x05\x00"  # DER's NULL


class PushCertificate(NamedTuple):
    """What a client's certificate says: its topics, the environments it is for."""

    topics: frozenset[str]
    sandbox: bool
    production: bool

    def refusal(self, environment: str) -> Verdict | None:
        """Why nothing at all can be pushed with it in `environment`, if so."""
        if not self.topics:
            return refuse("BadCertificate")
        good = self.sandbox if environment == "sandbox" else self.production
        return None if good else refuse("BadCertificateEnvironment")


def read(der: bytes | None) -> PushCertificate | None:
    """The certificate that TLS has verified; None if the client showed none."""
    if not der:
        return None
    shown = x509.load_der_x509_certificate(der)
    extensions = {extension.oid for extension in shown.extensions}
    return PushCertificate(topics(shown), DEVELOPMENT in extensions, PRODUCTION in extensions)


class Issued(msgspec.Struct, frozen=True):
    """A throw-away certificate and its private key, both PEM."""

    pem: str
    private_key_pem: str

    def __repr__(self) -> str:
        """Even a throw-away private key stays out of logs."""
        return "Issued(…)"


def generate_certificate(
    authority: Authority,
    bundle: str = "com.example.app",
    kinds: Sequence[str] = ("", "voip"),
    *,
    environments: Sequence[x509.ObjectIdentifier] = (DEVELOPMENT, PRODUCTION),
    good_from: datetime | None = None,
    good_for: timedelta = timedelta(days=396),
) -> Issued:
    """A new RSA key and its certificate of the kind Apple issues.

    `kinds`: what comes behind the bundle id in each topic ("" is the app itself); with none the
    certificate names its topic in the subject alone. An empty `bundle` makes one for no topic.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    start = good_from or datetime.now(UTC) - timedelta(minutes=5)
    names = [x509.NameAttribute(NameOID.COMMON_NAME, f"Apple Push Services: {bundle}")]
    if bundle:
        names.insert(0, x509.NameAttribute(NameOID.USER_ID, bundle))
    request = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(names))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + good_for)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
    )
    for oid in environments:
        request = request.add_extension(x509.UnrecognizedExtension(oid, _NOTHING), critical=False)
    if kinds and bundle:
        value = _listed(bundle, kinds)
        request = request.add_extension(x509.UnrecognizedExtension(TOPICS, value), critical=False)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signed = authority.sign(request).public_bytes(Encoding.PEM)
    return Issued(signed.decode("ascii"), private.decode("ascii"))


def _listed(bundle: str, kinds: Sequence[str]) -> bytes:
    """Each topic and, in a sequence of its own, what it is for."""
    inside = b"".join(
        _text(f"{bundle}.{kind}" if kind else bundle) + _der(0x30, _text(kind or "app"))
        for kind in kinds
    )
    return _der(0x30, inside)


def _text(text: str) -> bytes:
    return _der(0x0C, text.encode())


def _der(tag: int, inside: bytes) -> bytes:
    size = len(inside)
    width = (size.bit_length() + 7) // 8
    head = bytes([size]) if size < 0x80 else bytes([0x80 | width]) + size.to_bytes(width, "big")
    return bytes([tag]) + head + inside

"""A certificate authority that lives as long as the simulator that made it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

if TYPE_CHECKING:
    from collections.abc import Sequence


class Authority:
    """A throw-away authority. `pem` is what a client must trust; its keys stay in the process."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self.pem: str = self._authority.cert_pem.bytes().decode("ascii")

    def server_context(
        self,
        names: Sequence[str] = ("localhost", "127.0.0.1", "::1"),
        alpn: Sequence[str] = ("h2",),
    ) -> ssl.SSLContext:
        """A server's TLS settings, 1.3 down to 1.2, with a certificate for `names`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(list(alpn))
        self._authority.issue_cert(*names).configure_cert(context)
        return context

    def sign(self, request: x509.CertificateBuilder) -> x509.Certificate:
        """What was asked for, signed by this authority; the subject and the key are the asker's."""
        own = x509.load_pem_x509_certificate(self._authority.cert_pem.bytes())
        key = load_pem_private_key(self._authority.private_key_pem.bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("this authority signs with an elliptic curve key")
        return request.issuer_name(own.subject).sign(key, hashes.SHA256())

    def welcome(self, context: ssl.SSLContext) -> None:
        """Let a server ask its clients for a certificate of this authority; they may have none."""
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=self.pem)

    def client_context(self, alpn: Sequence[str] = ("h2",)) -> ssl.SSLContext:
        """A client's TLS settings that trust this authority alone."""
        context = ssl.create_default_context(cadata=self.pem)
        context.set_alpn_protocols(list(alpn))
        return context

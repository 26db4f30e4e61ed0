"""A certificate authority that lives as long as the simulator that made it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import trustme

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

    def client_context(self, alpn: Sequence[str] = ("h2",)) -> ssl.SSLContext:
        """A client's TLS settings that trust this authority alone."""
        context = ssl.create_default_context(cadata=self.pem)
        context.set_alpn_protocols(list(alpn))
        return context

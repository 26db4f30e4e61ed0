"""Certificates of all kinds for servers called localhost."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


class Authority:
    """A certificate authority and the files that say so."""

    def __init__(self, folder: Path) -> None:
        self._made = trustme.CA()
        self.file = str(folder / "ca.pem")
        self._made.cert_pem.write_to_path(self.file)

    def server(
        self, *, name: str = "localhost", expired: bool = False, alpn: tuple[str, ...] = ("h2",)
    ) -> ssl.SSLContext:
        """What a server needs to be believed, or not."""
        until = datetime(2020, 1, 1, tzinfo=UTC) if expired else None
        settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._made.issue_cert(name, not_after=until).configure_cert(settings)
        if alpn:
            settings.set_alpn_protocols(list(alpn))
        return settings

    def files(self, folder: Path) -> tuple[str, str]:
        """Key and chain for servers that want files."""
        made = self._made.issue_cert("localhost")
        key, chain = folder / "key.pem", folder / "chain.pem"
        made.private_key_pem.write_to_path(str(key))
        chain.write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))
        return str(key), str(chain)

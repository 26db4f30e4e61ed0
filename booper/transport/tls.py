"""TLS between memory buffers: the whole of S33 (authority, host name, version, ALPN) in one place.

No socket here, so that a test may cut the ciphertext wherever it likes.
"""

from __future__ import annotations

import os
import ssl
from functools import cache
from typing import TYPE_CHECKING, cast

from booper.transport.line import RECEIVE, LineClosed

if TYPE_CHECKING:
    from booper.wire import ClientCertificate

RECORD = 16384  # the most plaintext one TLS record can hold (RFC 8446 §5.1)


def context(
    ca_file: str | None = None, certificate: ClientCertificate | None = None, alpn: str = "h2"
) -> ssl.SSLContext:
    """A client's settings: verified chain, verified host name, TLS 1.2 or newer, one protocol.

    `ca_file` replaces the system's authorities; there is no way to switch verification off.
    Raises OSError or ssl.SSLError when the file cannot be read, or the certificate not be used.
    """
    if certificate is not None:
        made = _context(ca_file, alpn)
        _show(made, certificate)
        return made
    return _system(alpn) if ca_file is None else _context(ca_file, alpn)


@cache
def _system(alpn: str) -> ssl.SSLContext:
    return _context(None, alpn)  # once per process: reading the system's authorities takes 35 ms


def _context(ca_file: str | None, alpn: str) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=ca_file)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols([alpn])
    return made


def _show(settings: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """Python takes a private key only from a file: this one is in memory, has no name in any
    directory, nobody but this process can open it, and it is gone when this returns."""
    memory = os.memfd_create("client", os.MFD_CLOEXEC)
    try:
        os.fchmod(memory, 0o600)
        with open(memory, "wb", closefd=False) as file:
            file.write(certificate.pem.reveal().encode())
        settings.load_cert_chain(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)


class Tls:
    """One side of one TLS session, fed by hand: a client's of `host`, a server's without one."""

    def __init__(self, settings: ssl.SSLContext, host: str | None) -> None:
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._session = settings.wrap_bio(
            self._in, self._out, server_side=host is None, server_hostname=host
        )
        # One buffer for all records of a wake-up; the system commits its pages when they are used.
        self._buffer = memoryview(bytearray(RECEIVE + 2 * RECORD))
        self._limit = len(self._buffer) - RECORD
        self.ended = False  # the peer said close_notify: nothing more will come

    def handshake(self, data: bytes = b"") -> bool:
        """One step with what the peer sent; True when done. Raises ssl.SSLError.

        After each step, also a failed one, `outgoing` has what the peer must get.
        """
        self._in.write(data)
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    @property
    def protocol(self) -> str | None:
        """What ALPN agreed on."""
        return self._session.selected_alpn_protocol()

    def outgoing(self) -> bytes:
        """Ciphertext for the peer that nobody has taken yet."""
        return self._out.read()

    def encrypt(self, data: bytes) -> bytes:
        """`data` in as few records as it needs; one call per flush, not per request."""
        try:
            self._session.write(data)
        except ssl.SSLError as error:
            raise LineClosed(explain(error)) from error
        return self._out.read()

    def decrypt(self, data: bytes) -> bytes:
        """All plaintext that is complete with `data`, record after record into one buffer."""
        self._in.write(data)
        read, buffer, filled = self._session.read, self._buffer, 0
        whole: list[bytes] = []
        try:
            while True:
                # typeshed knows only the answer of a read without a buffer
                count = cast("int", read(RECORD, buffer[filled:]))
                if not count:
                    self.ended = True
                    break
                filled += count
                if filled > self._limit:
                    whole.append(bytes(buffer[:filled]))
                    filled = 0
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            raise LineClosed(explain(error)) from error
        plain = bytes(buffer[:filled])
        if whole:
            plain = b"".join((*whole, plain))
        if self.ended and not plain:
            raise LineClosed("the peer closed the connection")
        return plain


def explain(error: ssl.SSLError) -> str:
    """What went wrong, in words for an operator, without OpenSSL's file and line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS certificate refused: {error.verify_message}"
    return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"

"""What travels between a codec and a connection: plain values, no I/O, no protocol details.

Over HTTP/2 a codec (`providers/`) makes a Template once for one notification and one Stamp per
device; the sender (`http2/`, `transport/`) gives back one Reply or Lost per stamp, in the same
order. Over HTTP/1.1 it makes whole Requests, for one device or for many.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from booper.domain.secret import Secret

Header = tuple[bytes, bytes]

# What makes one request of a template: the rest of its path, the values of the stamped headers,
# the body. A plain tuple, because one is made for every device.
Stamp = tuple[bytes, tuple[bytes, ...], bytes]


class Template(msgspec.Struct, frozen=True, eq=False):
    """What many requests share, so that it is encoded once.

    `path` is a prefix: each stamp's own `path` is appended to it. `headers` are lower-case and
    the same for every request; `stamped` names the headers whose values each stamp brings, in
    that order. `authorization` travels as a never-indexed literal, as Apple asks.
    """

    authority: bytes
    path: bytes
    headers: tuple[Header, ...] = ()
    stamped: tuple[bytes, ...] = ()
    method: bytes = b"POST"


class Reply(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A complete answer: `Reply(status, fields, body)`; `body` is at most 64 KiB.

    `head` is either the headers themselves or the block they arrived in, which `decode` turns
    into them. Almost nobody looks at the headers of a 200, so decoding waits for the first who
    does; it is repeated at each look, so keep what you read.
    """

    status: int
    head: tuple[Header, ...] | bytes
    body: bytes
    decode: Callable[[bytes], tuple[Header, ...]] | None = None

    @property
    def fields(self) -> tuple[Header, ...]:
        """The headers in the order they came, names lower-case, without `:status`."""
        head = self.head
        if isinstance(head, tuple):
            return head
        return () if self.decode is None else self.decode(head)

    def header(self, name: bytes) -> bytes | None:
        """The first value of header `name` (lower-case), or None."""
        for key, value in self.fields:
            if key == name:
                return value
        return None


class Lost(msgspec.Struct, frozen=True):
    """A request without an answer.

    `sent` False: the peer provably never processed it, sending it again cannot double it.
    `sent` True: it may have been processed ("sent, answer unknown").
    `reason` is a short stable word ("connect_failed", "goaway", "reset", "deadline", "closed",
    "cancelled"...), `detail` says more for a person and holds no secret.
    """

    sent: bool
    reason: str
    detail: str = ""


Answer = Reply | Lost


class ClientCertificate(msgspec.Struct, frozen=True):
    """What a client shows of itself in TLS; good between two moments (Unix seconds).

    `pem`: the private key, the certificate, and what leads from it to its authority.
    """

    pem: Secret
    not_before: float
    not_after: float


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a pool connects, and the habits of the server there.

    `ca_file` replaces the system's authorities (a simulator, a private server). `proxy` is an
    HTTP CONNECT proxy, "http://[user:password@]host:port", and a secret because of the password.
    `one_stream_start` sends a single request until the first is accepted, as Apple asks of a
    token-authenticated connection. `certificate` is shown to a server that asks for one.
    """

    host: str
    port: int = 443
    ca_file: str | None = None
    proxy: Secret | None = None
    one_stream_start: bool = False
    certificate: ClientCertificate | None = None
    max_connections: int = 4
    connect_timeout: float = 10.0
    idle_timeout: float = 300.0
    ping_interval: float = 30.0
    max_age: float = 3600.0


class Request(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One whole HTTP/1.1 request. `url` is absolute and ASCII but for its host.

    `headers` are as the provider wants them, without Host, Content-Length, Accept-Encoding and
    Connection, which the client adds. Headers, path and body may hold secrets: repr has none.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def __repr__(self) -> str:
        """Where it goes, and its size."""
        try:
            parts = urlsplit(self.url)
            where = f"{parts.scheme}://{parts.hostname}"
        except ValueError:
            where = "?"
        return f"Request({self.method} {where}, {len(self.body)} bytes)"


class Outlet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an instance reaches HTTP/1.1 servers.

    `ca_file`, `proxy` as for an Endpoint. `guarded`: URLs come from outside (a device, a tenant),
    so only https to public addresses is allowed, and what the operator's `[guard]` adds; `trusted`
    are then the (host, port) that the operator named himself and that need no guard. No more than
    `max_connections` are open at once; where `guarded`, one origin gets half of them at most.
    """

    ca_file: str | None = None
    proxy: Secret | None = None
    max_connections: int = 6
    guarded: bool = False
    trusted: tuple[tuple[str, int], ...] = ()
    connect_timeout: float = 10.0
    idle_timeout: float = 60.0

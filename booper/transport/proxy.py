"""The words spoken to an HTTP proxy before TLS begins: CONNECT (RFC 9110 §9.3.6), without I/O."""

from __future__ import annotations

from base64 import b64encode
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from booper.domain.secret import Secret

HEAD_LIMIT = 8192  # bytes a proxy may use for the head of its answer


class ProxyError(Exception):
    """The proxy cannot be used; the text never holds its password."""


class Proxy(NamedTuple):
    """Where the proxy listens and what it wants to see: the value of Proxy-Authorization."""

    host: str
    port: int
    credentials: Secret | None


def parse(url: str) -> Proxy:
    """The proxy named by "http://[user:password@]host:port". Raises ProxyError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ProxyError("the proxy's address is not a URL") from None
    if parts.scheme != "http" or not parts.hostname:
        raise ProxyError("the proxy's address must look like http://host:port")
    credentials = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        credentials = Secret("Basic " + b64encode(pair.encode()).decode())
    return Proxy(parts.hostname, port or 3128, credentials)


def request(proxy: Proxy, host: str, port: int) -> bytes:
    """The request for a tunnel to `host`. ProxyError for a name that would break the line."""
    name = host.encode("idna").decode() if not host.isascii() else host
    target = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    if any(c <= " " or c == "\x7f" for c in target):
        raise ProxyError("the host name holds characters no host name has")
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.credentials:
        lines.append(f"Proxy-Authorization: {proxy.credentials.reveal()}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def tunnelled(head: bytes) -> bool:
    """Whether the proxy's answer is complete and opens the tunnel; False: more bytes are needed.

    Raises ProxyError when the proxy says no, talks nonsense, or sends bytes behind its head: in a
    fresh tunnel the server never speaks first.
    """
    end = head.find(b"\r\n\r\n")
    if end < 0:
        if len(head) > HEAD_LIMIT:
            raise ProxyError("the proxy's answer is too long")
        return False
    status = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if len(status) < 2 or not status[0].startswith(b"HTTP/1.") or not status[1].isdigit():
        raise ProxyError("the proxy does not speak HTTP")
    if status[1] == b"407":
        raise ProxyError("the proxy wants other credentials (407)")
    if not status[1].startswith(b"2"):
        raise ProxyError(f"the proxy refused the tunnel ({status[1].decode()[:3]})")
    if len(head) > end + 4:
        raise ProxyError("the proxy sent bytes before the tunnel was used")
    return True

"""What a PostgreSQL URL says of the way to the server."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from booper.domain.errors import Misconfigured


def tls(url: str) -> str | None:
    """asyncpg's `ssl` for that URL: None where the URL itself says it by `sslmode`; else TLS is
    required, except on this machine. Misconfigured for what is no URL of a PostgreSQL server."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - a wrong one raises
    except ValueError as error:
        raise Misconfigured(f"The database URL: {error}.", code="database_url") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise Misconfigured("This is not a postgresql:// URL.", code="database_url")
    query = parse_qs(parts.query)
    if "sslmode" in query:
        return None
    return "disable" if _local(parts.hostname or query.get("host", ["/"])[0]) else "require"


def _local(host: str) -> bool:
    """Whether a server is on this machine: a socket, localhost, or a loopback address."""
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

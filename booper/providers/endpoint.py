"""An instance's `url` setting as the endpoint of its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from booper.domain.errors import Misconfigured
from booper.wire import ClientCertificate, Endpoint

if TYPE_CHECKING:
    from booper.domain.secret import Secret


def https_endpoint(
    owner: str,
    url: str,
    *,
    ca_file: str | None,
    proxy: Secret | None,
    max_connections: int,
    one_stream_start: bool = False,
    certificate: ClientCertificate | None = None,
) -> Endpoint:
    """The endpoint of `https://host[:port]`; Misconfigured for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:  # an unfinished [address], or no port number
        parts, port = urlsplit(""), 0
    if (
        parts.scheme != "https"
        or not parts.hostname
        or not port
        or parts.username is not None
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
    ):
        raise Misconfigured(f"{owner}: url must be https://host[:port].", code="invalid_url")
    return Endpoint(
        parts.hostname,
        port,
        ca_file=ca_file,
        proxy=proxy,
        one_stream_start=one_stream_start,
        certificate=certificate,
        max_connections=max_connections,
    )

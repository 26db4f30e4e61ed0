"""A URL taken apart once, strictly: what is checked is what is dialled and what is asked for."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import urlsplit

_LONGEST = 4096
_HOST = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,252}")
_URL = re.compile(r"(?i:https?)://[^\x00-\x20\x7f\\]+")
_PORTS = {"http": 80, "https": 443}


class AddressError(ValueError):
    """Not a URL that could be asked; the text says why and quotes nothing of it."""


class Address(NamedTuple):
    """Where a request goes. `host` is ASCII, without brackets; `target` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse(url: str) -> Address:
    """The address in an absolute http or https URL. AddressError for anything unclear.

    Refused: user and password, fragments, control characters, blanks and backslashes anywhere,
    what is not ASCII outside the host (a host is encoded by IDNA), a zone in an IPv6 address.
    """
    if len(url) > _LONGEST:
        raise AddressError("the URL is too long")
    if not _URL.fullmatch(url):
        raise AddressError("the URL must begin with https:// and hold no blanks")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressError("the URL cannot be read") from None
    if "@" in parts.netloc:
        raise AddressError("the URL holds a user name")
    if "#" in url:
        raise AddressError("the URL holds a fragment")
    host = _ascii(parts.hostname or "")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if port == 0 or not target.isascii():
        raise AddressError("the URL's port or path is not one")
    return Address(parts.scheme, host, port or _PORTS[parts.scheme], target)


def _ascii(host: str) -> str:
    if ":" in host:
        try:
            return str(IPv6Address(host if "%" not in host else ""))
        except ValueError:
            raise AddressError("the URL's host is not an IPv6 address") from None
    try:
        name = host.encode("idna").decode()
    except UnicodeError:
        raise AddressError("the URL's host is not a name") from None
    if not _HOST.fullmatch(name):
        raise AddressError("the URL's host is not a name")
    return name.lower()

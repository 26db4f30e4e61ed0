"""The guard against SSRF: who may be called when somebody outside chose the address.

The name is resolved once, every address it has must be public or be named in `[guard] allow`, and
the connection goes to one of just these addresses. So no spelling of an address and no change of
mind of a DNS server gets anywhere else. Source: IANA's special-purpose address registries; the
standard library's `is_global` alone is too kind to NAT64, 6to4 and others (CVE-2024-4032).
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import cast

import trio

from booper.domain import address
from booper.domain.errors import Invalid, Misconfigured

Resolve = Callable[[str, int], Awaitable[list[str]]]

PATIENCE = 5.0  # seconds a name may take to be resolved when it is saved
_UNICAST = IPv6Network("2000::/3")  # all that is given out for the internet
_NOT_PUBLIC = [
    IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")  # Teredo, 6to4...
]
_RELAY = IPv4Network("192.88.99.0/24")  # 6to4's anycast


class Guarded(Exception):
    """The guard forbids it; the text says why and names no address."""


def public(text: str) -> bool:
    """Whether an IP address is one of the internet's, and not of some special purpose."""
    found = _unwrapped(text)
    if not found.is_global or found.is_multicast or found.is_reserved:
        return False
    if isinstance(found, IPv4Address):
        return found not in _RELAY
    return found in _UNICAST and not any(found in network for network in _NOT_PUBLIC)


def _unwrapped(text: str) -> IPv4Address | IPv6Address:
    found = ip_address(text.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return found if mapped is None else mapped


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name or of an address in any spelling. OSError if there is none."""
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(cast("str", entry[4][0]) for entry in found))


class Guard:
    """The operator's rules. `allow`: networks that may be called although they are not public,
    on any port; elsewhere the port is 443 or, with `high_ports`, 1024 and above."""

    def __init__(
        self, allow: Iterable[str] = (), *, high_ports: bool = True, resolve: Resolve = resolve
    ) -> None:
        """Misconfigured: something in `allow` is not a network."""
        try:
            self._allow = [ip_network(network) for network in allow]
        except ValueError as error:
            raise Misconfigured(f"guard.allow: {error}.", code="config_value") from None
        self._high_ports = high_ports
        self._resolve = resolve

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses to which a connection to `host` may go. Guarded if it may not;
        OSError if the name has none."""
        try:
            found = await self._resolve(host, port)
        except UnicodeError:
            raise OSError("not a host name") from None
        if not found:
            raise OSError("the name has no address")
        free = [self._allowed(text) for text in found]
        if not all(own or public(text) for own, text in zip(free, found, strict=True)):
            raise Guarded("the address is not a public one")
        if not all(free) and not (port == 443 or (self._high_ports and port >= 1024)):
            raise Guarded(f"port {port} is not allowed")
        return found

    async def check(self, url: str, pointer: str = "/url") -> None:
        """Return if `url` may be called (`ports.Guard.check`)."""
        try:
            where = address.parse(url)
            if where.scheme != "https":
                raise Guarded("the URL must begin with https://")
            with trio.fail_after(PATIENCE):
                await self.addresses(where.host, where.port)
        except (address.AddressError, Guarded) as error:
            text = str(error)
            detail = f"{text[:1].upper()}{text[1:]}."
            raise Invalid(detail, code="forbidden_url", pointer=pointer) from None
        except (OSError, trio.TooSlowError):
            raise Invalid(
                "The URL's host cannot be found.", code="unknown_host", pointer=pointer
            ) from None

    def _allowed(self, text: str) -> bool:
        found = _unwrapped(text)
        return any(found in network for network in self._allow)

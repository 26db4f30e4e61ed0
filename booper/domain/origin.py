"""Origin: where a request comes from, as far as that can be believed, for limits by address.

`X-Forwarded-For` is believed only from proxies that the operator trusts: the right-most hop that is
no such proxy is the client. IPv6 clients count by their /64, which is what one customer has.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from booper.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network

HOPS = 16  # of a header at most; what stands left of them is nobody's we trust
UNKNOWN = "unknown"
_Ip = IPv4Address | IPv6Address


@lru_cache(maxsize=64)
def networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks of the trusted proxies; Misconfigured for one that is none."""
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise Misconfigured(f"http.trusted_proxies: {error}.", code="config_value") from None


@lru_cache(maxsize=4096)
def origin(peer: str | None, forwarded: str, trusted: tuple[str, ...] = ()) -> str:
    """The client's address (IPv4) or network (IPv6); `forwarded`: all of X-Forwarded-For.

    A hop that is no address makes the proxy that wrote it the client.
    """
    found = _address(peer or "")
    if found is None:
        return UNKNOWN
    places = networks(trusted)
    for hop in reversed(forwarded.rsplit(",", HOPS)[-HOPS:] if forwarded else ()):
        if not _within(found, places):
            break
        before = _address(hop.strip())
        if before is None:
            break
        found = before
    if isinstance(found, IPv6Address):
        return str(IPv6Network((int(found) >> 64 << 64, 64)))
    return str(found)


def _within(found: _Ip, places: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(found in place for place in places if place.version == found.version)


def _address(text: str) -> _Ip | None:
    """An address, also with a port; an IPv4 one in IPv6's clothes as itself."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found

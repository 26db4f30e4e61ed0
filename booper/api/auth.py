"""Auth: names the caller of a request, once, by the first credential it presents.

Credentials travel in the Authorization header and nowhere else. One that is presented and not good
is refused, on public routes too; a page in a browser is never taken for the operator of the machine
that it runs on.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from quart import request

from booper.api import access_jwt, entry
from booper.domain import credential
from booper.domain.caller import Anonymous, DeviceCaller, Operator, Scope, Who, admit
from booper.domain.errors import Unauthenticated
from booper.store import api_keys, channel_keys, devices

if TYPE_CHECKING:
    from booper.api.house import House
    from booper.domain.caller import Caller

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")
_LEAKED = (b"=bpk_", b"=bpr_", b"=bds_", b"=bcs_", b"=bpp_", b"=eyJ")


async def caller(house: House, who: Who, scope: Scope | None = None) -> Caller:
    """Who calls, if that is somebody whom the route is for; else Unauthenticated or Refused."""
    if who is Who.UNASKED:
        return Anonymous()
    named = await _named(house)
    if isinstance(named, Anonymous) and who & Who.OPERATOR and house.settings.admin_secret is None:
        named = Operator() if _direct() else named
    admit(named, who, scope)
    return named


async def _named(house: House) -> Caller:
    asked = request.query_string
    if asked and any(mark in asked for mark in _LEAKED):
        raise Unauthenticated(
            "A credential in a URL ends up in logs: send it as Authorization: Bearer, and replace"
            " this one.",
            code="credential_in_query",
        )
    given = request.headers.getlist("Authorization")
    if not given:
        return Anonymous()
    scheme, _, text = given[0].partition(" ")
    if len(given) > 1:
        raise _refused()
    found: Caller | None = None
    match scheme.lower():
        case "bearer":
            found = await _bearer(house, text.strip())
        case "device":
            found = await _device(house, text.strip())
    if found is None:
        raise _refused()
    return found


async def _device(house: House, text: str) -> Caller | None:
    """A device by `<id>.<secret>`; the secret alone is as good, as a bearer's."""
    own, _, secret = text.partition(".")
    found = await _bearer(house, secret) if secret.startswith(credential.DEVICE) else None
    return found if isinstance(found, DeviceCaller) and found.device == own.lower() else None


async def _bearer(house: House, text: str) -> Caller | None:
    """Whom a bearer credential belongs to, by its shape."""
    secret = house.settings.admin_secret
    # Header bytes arrive as latin-1; what they say is compared in constant time.
    raw = text.encode("latin-1", "replace")
    if secret is not None and hmac.compare_digest(raw, secret.reveal().encode()):
        return Operator()
    if text.startswith(access_jwt.MARK):
        return await entry.recognised(house, text)
    presented = credential.parsed(text)
    if presented is None:
        return None
    known = house.known.get(presented.name, presented.hash)
    if known is not None:
        return known
    mark = house.known.mark
    found: Caller | None = None
    if presented.kind == credential.API_KEY:
        found = await house.ports.database.read(api_keys.know, presented)
    elif presented.kind == credential.DEVICE:
        found = await house.ports.database.read(devices.know, presented)
    elif presented.kind == credential.CHANNEL:
        found = await house.ports.database.read(channel_keys.know_holder, presented)
    elif presented.kind == credential.PUBLISH:
        found = await house.ports.database.read(channel_keys.know_publisher, presented)
    if found is not None:
        house.known.keep(presented.name, presented.hash, found, mark)
    return found


def _refused() -> Unauthenticated:
    return Unauthenticated("This credential is not good here.", code="invalid_credential")


def _direct() -> bool:
    """Whether the caller is on this machine, came without a proxy, and meant to come here.

    The last is what Host and Origin show: a web page elsewhere can let its own name point to
    127.0.0.1 and have this machine's browser ask for it (DNS rebinding), or simply post there, but
    the browser then says whose page it is.
    """
    if any(name in request.headers for name in _FORWARDED):
        return False
    hosts = [f"//{request.headers.get('Host', '')}"]
    if (origin := request.headers.get("Origin")) is not None:
        hosts.append(origin)
    return _loopback(request.remote_addr) and all(_local(host) for host in hosts)


def _local(url: str) -> bool:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    return host == "localhost" or _loopback(host)


def _loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False

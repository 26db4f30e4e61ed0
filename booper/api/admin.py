"""GET /api/admin/tree and /instances: how everything is doing now, for operators only."""

from __future__ import annotations

import hmac
import ipaddress
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from quart import Blueprint, Response, request

from actors import ActorError, Ref
from booper.api.render import rendered
from booper.domain.errors import Refused, Unavailable
from booper.workers import names
from booper.workers.messages import Status

if TYPE_CHECKING:
    from booper.api.house import House
    from booper.domain.instance import Standing

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")


def routes(house: House) -> Blueprint:
    """The blueprint."""
    blueprint = Blueprint("admin", __name__)

    @blueprint.before_request
    async def operators_only() -> None:
        """With an admin_key, whoever presents it; without one, only this machine, and directly."""
        secret = house.settings.admin_secret
        if secret is None:
            if not _direct():
                raise Refused("Set admin_key to use this from elsewhere.", code="operators_only")
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        # Header bytes arrive as latin-1; what they say is compared in constant time.
        same = hmac.compare_digest(given.encode("latin-1", "replace"), secret.reveal().encode())
        if not same or scheme.lower() != "bearer":
            raise Refused("Present the admin key as a bearer.", code="operators_only")

    @blueprint.get("/api/admin/tree")
    async def tree() -> Response:
        snapshot = house.snapshot()
        if snapshot is None:
            raise Unavailable("The tree is being built.", code="not_ready")
        return rendered(snapshot)

    @blueprint.get("/api/admin/instances")
    async def instances() -> Response:
        """Each configured instance's standing; null for one that does not run now."""
        found: dict[str, Standing | None] = {}
        for name in house.routes.instances:
            found[name] = None
            with suppress(ActorError):
                ref = Ref(house.registry, names.instance(name))
                found[name] = await ref.call(Status(), timeout=1.0)
        return rendered({"instances": found})

    return blueprint


def _direct() -> bool:
    """Whether the caller is on this machine, came without a proxy, and meant to come here.

    The last is what Host shows: a web page elsewhere can let its own name point to 127.0.0.1 and
    have this machine's browser ask for it (DNS rebinding), but the browser then says that name.
    """
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        host = urlsplit(f"//{request.headers.get('Host', '')}").hostname
    except ValueError:
        return False
    return _loopback(request.remote_addr) and (host == "localhost" or _loopback(host))


def _loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False

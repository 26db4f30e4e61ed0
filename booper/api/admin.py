"""GET /api/admin/tree and /instances: how everything is doing now, for operators only."""

from __future__ import annotations

import hmac
import ipaddress
from contextlib import suppress
from typing import TYPE_CHECKING

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
            if not _local(request.remote_addr) or any(n in request.headers for n in _FORWARDED):
                raise Refused("Set admin_key to use this from elsewhere.", code="operators_only")
            return
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, b"Bearer " + secret.reveal().encode()):
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


def _local(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False

"""The public key that a web app subscribes its browsers with. Anybody may read it: it is public."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from booper.api.operation import Operations
from booper.domain.caller import Who
from booper.domain.errors import Misconfigured, NotFound
from booper.domain.wanted import OPERATOR
from booper.providers.webpush import WebPush, WebPushCodec

if TYPE_CHECKING:
    from booper.api.house import House

operations = Operations("web push key")


class OfApp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose; without an app, what public channels send with."""

    app_id: Annotated[str, Meta(max_length=64)] = OPERATOR


class WebPushKey(msgspec.Struct, frozen=True):
    """`public_key`: what `pushManager.subscribe` takes as `applicationServerKey` (base64url)."""

    public_key: str


@operations.get(
    "/api/web_push_key",
    query=OfApp,
    answers={200: WebPushKey},
    callers=Who.ANYONE,
    errors={404: ("not_configured",)},
)
async def show(house: House, query: OfApp) -> WebPushKey:
    """The key by which Web Push of an app, or of the public, is sent: of the app's own instance,
    else of the operator's default. An app that does not exist has what every new one has."""
    registrar = house.registrar
    key = registrar.router.resolve(WebPush.name, "", query.app_id)
    wanted = registrar.directory.get(key) if key is not None else None
    if wanted is not None:
        try:
            codec, _ = await registrar.codec(wanted.key, wanted.serving)
        except (NotFound, Misconfigured):  # deleted a moment ago; or it cannot be read
            codec = None
        if isinstance(codec, WebPushCodec):
            return WebPushKey(codec.vapid.public_key)
    raise NotFound("Nothing sends Web Push here.", code="not_configured")

"""The app: every blueprint of the front door, the one gate's hooks, the one table of problems."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from quart import Response, g, request
from quart_trio import QuartTrio
from quart_trio.wrappers import TrioRequest

from booper.api import (
    accounts,
    admin,
    api_keys,
    app_instances,
    apps,
    batch,
    channel,
    confirmations,
    devices,
    health,
    limits,
    nodes,
    notifications,
    notify,
    openapi,
    operators,
    parked,
    problems,
    providers,
    publish_keys,
    quarantine,
    redemption,
    reference,
    resolvers,
    sessions,
    subscriptions,
    web_push_key,
)
from booper.api.exchange import Exchange

if TYPE_CHECKING:
    from booper.api.house import House
    from booper.settings import Http

OPERATIONS = tuple(
    part.operations
    for part in (
        accounts,
        sessions,
        apps,
        api_keys,
        app_instances,
        devices,
        channel,
        publish_keys,
        redemption,
        subscriptions,
        notifications,
        confirmations,
        notify,
        batch,
        health,
        admin,
        nodes,
        operators,
        quarantine,
        parked,
        providers,
        reference,
        resolvers,
        web_push_key,
    )
)
_SAFE = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def document() -> dict[str, Any]:
    """The OpenAPI document of the whole front door."""
    return openapi.document(one for operations in OPERATIONS for one in operations.declared)


def create_app(house: House) -> QuartTrio:
    """The front door of one house; several may stand in one process."""
    app = QuartTrio(__name__, static_folder=None)
    app.asgi_http_class = Exchange
    app.url_map.merge_slashes = False  # one spelling per path: no redirect for another
    http = house.settings.http
    app.config["MAX_CONTENT_LENGTH"] = http.max_body
    app.config["BODY_TIMEOUT"] = http.body_timeout
    app.request_class = _sized(http)
    problems.install(app)

    @app.before_request
    async def name_request() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else house.ports.ids.mint()

    @app.after_request
    async def sign_answer(response: Response) -> Response:
        # Extended, not set: nobody else gives these, and a look for each in all others costs.
        named = ("X-Request-Id", g.get("request_id", ""))
        response.headers.extend([named, *_SAFE, *limits.told().items()])
        return response

    app.extensions[reference.DOCUMENT] = document()
    for operations in OPERATIONS:
        app.register_blueprint(operations.blueprint(house))
    return app


def _sized(http: Http) -> type[TrioRequest]:
    """Requests whose body may be as long as its route allows."""

    class Sized(TrioRequest):
        def __init__(
            self,
            method: str,
            scheme: str,
            path: str,
            *rest: Any,
            max_content_length: int,
            **more: Any,
        ) -> None:
            if path == batch.PATH:
                max_content_length = http.max_batch_body
            super().__init__(
                method, scheme, path, *rest, max_content_length=max_content_length, **more
            )

    return Sized

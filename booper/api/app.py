"""The app: every blueprint of the front door, the one gate's hooks, the one table of problems."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from quart import Response, g, request
from quart_trio import QuartTrio

from booper.api import admin, devices, health, notifications, problems, subscriptions

if TYPE_CHECKING:
    from booper.api.house import House

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def create_app(house: House) -> QuartTrio:
    """The front door of one house; several may stand in one process."""
    app = QuartTrio(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # one spelling per path: no redirect for another
    http = house.settings.http
    app.config["MAX_CONTENT_LENGTH"] = http.max_body
    app.config["BODY_TIMEOUT"] = http.body_timeout
    problems.install(app)

    @app.before_request
    async def name_request() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else house.ports.ids.mint()

    @app.after_request
    async def sign_answer(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.get("request_id", "")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response

    for part in (devices, subscriptions, notifications, health, admin):
        app.register_blueprint(part.routes(house))
    return app

"""Errors as RFC 9457 problems: one table, one body, one content type, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from quart import Quart, Response, g
from werkzeug.exceptions import HTTPException

from booper.domain import errors

if TYPE_CHECKING:
    from booper.domain.errors import BooperError

log = structlog.get_logger()

STATUS: dict[type[BooperError], int] = {
    errors.Malformed: 400,
    errors.Invalid: 422,
    errors.NotFound: 404,
    errors.Refused: 403,
    errors.Unavailable: 503,
    errors.Misconfigured: 500,
}
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
HTTP_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    408: "body_timeout",
    413: "body_too_large",
    415: "unsupported_media_type",
}


def problem(
    status: int, code: str, detail: str, pointer: str = "", headers: dict[str, str] | None = None
) -> Response:
    """A problem body: `type` is a stable URI per code, `errors` points into the input."""
    body: dict[str, Any] = {
        "type": f"urn:booper:problem:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": g.get("request_id", ""),
    }
    if pointer:
        body["errors"] = [{"pointer": pointer, "detail": detail}]
    response = Response(
        msgspec.json.encode(body), status=status, content_type="application/problem+json"
    )
    response.headers.update(headers or {})
    return response


def install(app: Quart) -> None:
    """Render every error of the app as a problem."""

    @app.errorhandler(errors.BooperError)
    async def booper_error(error: BooperError) -> Response:
        status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
        headers = {}
        if isinstance(error, errors.Unavailable):
            headers["Retry-After"] = str(max(1, round(error.retry_after)))
        return problem(status, error.code, error.detail, error.pointer, headers)

    @app.errorhandler(HTTPException)
    async def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        headers = {
            name: value
            for name, value in error.get_headers()
            if name.lower() in ("allow", "retry-after", "www-authenticate")
        }
        code = HTTP_CODES.get(status, f"http_{status}")
        detail = error.description or TITLES.get(status, "Error")
        return problem(status, code, detail, headers=headers)

    @app.errorhandler(Exception)
    async def crash(error: Exception) -> Response:
        # Its text may quote what the caller sent: only the type and the place go to the log.
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_qualname}:{place.tb_lineno}" if place else ""
        log.error("request_crashed", error=type(error).__name__, where=where)
        return problem(500, "internal_error", "Something went wrong here; it has been logged.")

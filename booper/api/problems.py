"""Errors as RFC 9457 problems: one table, one body, one content type, in one place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

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
    errors.Unauthenticated: 401,
    errors.NotFound: 404,
    errors.Refused: 403,
    errors.Conflict: 409,
    errors.Stale: 412,
    errors.TooOften: 429,
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
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
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


class Place(msgspec.Struct, frozen=True):
    """Where in the input something is wrong: a JSON pointer (RFC 6901)."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457. `type` is a stable URI per `code`; programs read the code, people the detail."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[Place] = []


def described(status: int, code: str, detail: str, pointer: str = "") -> Problem:
    """What is wrong, for the request under way; `pointer` tells where in the input it lies."""
    return Problem(
        f"urn:booper:problem:{code}",
        TITLES.get(status, "Error"),
        status,
        detail,
        code,
        g.get("request_id", ""),
        [Place(pointer, detail)] if pointer else [],
    )


def told(error: errors.BooperError) -> Problem:
    """An error of ours as a problem."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return described(status, error.code, error.detail, error.pointer)


def patience(error: errors.BooperError) -> int | None:
    """Seconds after which it may be tried again, if that is what it takes."""
    if isinstance(error, errors.Unavailable):
        return max(1, round(error.retry_after))
    if isinstance(error, errors.TooOften):
        return max(1, math.ceil(min(error.retry_after, 86_400)))
    return None


def problem(found: Problem, headers: dict[str, str] | None = None) -> Response:
    """The answer."""
    response = Response(
        msgspec.json.encode(found), status=found.status, content_type="application/problem+json"
    )
    response.headers.update(headers or {})
    return response


def install(app: Quart) -> None:
    """Render every error of the app as a problem."""

    @app.errorhandler(errors.BooperError)
    async def booper_error(error: BooperError) -> Response:
        headers = {}
        if (seconds := patience(error)) is not None:
            headers["Retry-After"] = str(seconds)
        if isinstance(error, errors.Unauthenticated):
            headers["WWW-Authenticate"] = "Bearer"
        return problem(told(error), headers)

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
        return problem(described(status, code, detail), headers)

    @app.errorhandler(Exception)
    async def crash(error: Exception) -> Response:
        # Its text may quote what the caller sent: only the type and the place go to the log.
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_qualname}:{place.tb_lineno}" if place else ""
        log.error("request_crashed", error=type(error).__name__, where=where)
        detail = "Something went wrong here; it has been logged."
        return problem(described(500, "internal_error", detail))

"""Values → answers: JSON, times as RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, overload

import msgspec
from msgspec import Meta
from quart import Response

Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
_encode = msgspec.json.Encoder().encode


def rendered(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    response = Response(_encode(value), status=status, content_type="application/json")
    if headers:
        response.headers.extend(headers)
    return response


def nothing() -> Response:
    """204 No Content. With no body at all quart would ask asyncio for an empty one, the answer
    would never end, and the connection with it."""
    return Response(b"", status=204)


@overload
def moment(seconds: float) -> str: ...
@overload
def moment(seconds: None) -> None: ...
def moment(seconds: float | None) -> str | None:
    """Unix seconds as `2026-01-31T12:00:00.000Z`."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")

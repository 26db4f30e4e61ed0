"""Values → answers: JSON, times as RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from quart import Response

_encode = msgspec.json.Encoder().encode


def rendered(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    response = Response(_encode(value), status=status, content_type="application/json")
    response.headers.update(headers or {})
    return response


def moment(seconds: float | None) -> str | None:
    """Unix seconds as `2026-01-31T12:00:00.000Z`."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")

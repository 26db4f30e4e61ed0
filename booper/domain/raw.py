"""Raw: what a caller lays over one provider's request; bounded here, applied by the codecs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from booper.domain.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT = 8192  # bytes of JSON for one provider: more than any of them takes
DEPTH = 16  # levels of nesting
PROVIDERS = 16


def check(raw: Mapping[str, Mapping[str, Any]]) -> None:
    """Invalid if there is too much of it, or it is nested too deeply."""
    if len(raw) > PROVIDERS:
        raise Invalid(f"raw names {len(raw)} providers.", code="raw_too_large", pointer="/raw")
    for provider, fields in raw.items():
        pointer = f"/raw/{provider[:64].replace('~', '~0').replace('/', '~1')}"
        level: list[Any] = [fields]
        for _ in range(DEPTH):
            level = [child for item in level for child in _children(item)]
        if level:
            raise Invalid(
                f"raw is nested more than {DEPTH} levels deep.",
                code="raw_too_deep",
                pointer=pointer,
            )
        size = len(msgspec.json.encode(fields))
        if size > LIMIT:
            raise Invalid(
                f"raw has {size} bytes for one provider; {LIMIT} are allowed.",
                code="raw_too_large",
                pointer=pointer,
            )


def _children(item: dict[str, Any] | list[Any]) -> list[Any]:
    """The objects and lists right inside an object or a list."""
    inside = item.values() if isinstance(item, dict) else item
    return [child for child in inside if isinstance(child, dict | list)]

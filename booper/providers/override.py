"""Raw overrides: a caller's own words laid over what a codec built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def merged(built: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`built` with `patch` over it, as a JSON merge patch (RFC 7396); neither is changed.

    Objects merge, null removes, everything else replaces, lists as a whole. What stays keeps its
    place, what is new comes behind it. Check sizes afterwards.
    """
    whole = dict(built)
    for key, value in patch.items():
        if value is None:
            whole.pop(key, None)
        elif isinstance(value, dict):
            below = whole.get(key)
            whole[key] = merged(below if isinstance(below, dict) else {}, value)
        else:
            whole[key] = value
    return whole

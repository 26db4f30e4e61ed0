"""The OpenAPI 3.1 document, made of the declarations that the routes themselves run by.

Every operation names every answer that it can give: its own, and what the gate, the auth and the
store can say for it, each problem with the codes it can have.
"""

from __future__ import annotations

import inspect
import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from booper.api.pieces import NDJSON
from booper.api.problems import TITLES, Problem
from booper.domain.caller import Who

if TYPE_CHECKING:
    from collections.abc import Iterable

    from booper.api.operation import Operation

_REF = "#/components/schemas/{name}"
_SECURITY = {
    Who.ACCOUNT: "session",
    Who.APP: "api_key",
    Who.DEVICE: "device",
    Who.OPERATOR: "operator",
    Who.CHANNEL: "channel",
}
_SCHEMES = {
    "session": "The access token of a session: POST /api/sessions.",
    "api_key": "A key of an app (bpk_…): POST /api/apps/{app_id}/keys.",
    "device": "The secret of a device.",
    "channel": "The secret of a public channel (bcs_…), of whoever made it: POST /api/channels.",
    "publish_key": "A key to a public channel that wants one (bpp_…): POST …/publish_key.",
    "operator": "The admin key, or the access token of an operator's session.",
}
_HEADERS = {
    "Idempotency-Key": "Yours for this request: asked again within a day, it answers the same.",
    "X-Title": "With a plain text: its title.",
    "X-Priority": "With a plain text: normal, high, or one of ntfy's degrees (1 to 5, min to max).",
    "X-Tags": "With a plain text: words with commas between; they become data.tags.",
    "X-Click": "With a plain text: its url.",
    "If-Match": "The ETag that you saw; answered with 412 if the thing has changed since.",
}


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The whole document as plain values."""
    declared = list(operations)
    types = _types(declared)
    shapes, components = msgspec.json.schema_components(types, ref_template=_REF)
    known = dict(zip(map(repr, types), shapes, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    taken: set[str] = set()
    for one in declared:
        name = f"{one.tag}_{one.handler.__name__}"
        if name in taken:
            name += "_" + re.sub(r"\W+", "_", one.path.removeprefix("/api/")).strip("_")
        taken.add(name)
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, name, known)
    for component in components.values():
        if "description" in component:
            component["description"] = inspect.cleandoc(component["description"])
    found = {
        "openapi": "3.1.0",
        "info": {
            "title": "Booper",
            "version": version("booper"),
            "description": "Push notifications for many apps through many providers.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                name: {"type": "http", "scheme": "bearer", "description": text}
                for name, text in _SCHEMES.items()
            },
        },
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
    return plain


def _types(declared: list[Operation]) -> list[Any]:
    """Every type that a schema is needed for, once."""
    found: dict[str, Any] = {repr(Problem): Problem}
    for one in declared:
        shapes = [one.body, *one.parts.values(), *one.answers.values()]
        found |= {repr(kind): kind for kind in shapes if kind is not None and not _media(kind)}
    return list(found.values())


def _media(kind: Any) -> bool:
    return isinstance(kind, str)


def _operation(one: Operation, name: str, known: dict[str, Any]) -> dict[str, Any]:
    summary, _, more = (one.handler.__doc__ or "").partition("\n")
    found: dict[str, Any] = {
        "operationId": name,
        "tags": [one.tag],
        "summary": summary.strip(),
        "parameters": _parameters(one, known),
        "responses": _responses(one, known),
        "security": _security(one),
    }
    if more.strip():
        found["description"] = " ".join(more.split())
    if one.body is not None:
        content = {"application/json": {"schema": known[repr(one.body)]}}
        content |= {media: {"schema": {"type": "string"}} for media in one.media}
        found["requestBody"] = {"required": one.method != "DELETE", "content": content}
    return found


def _security(one: Operation) -> list[dict[str, list[str]]]:
    if one.callers & Who.ANYONE:
        return [dict[str, list[str]](), *(_alone(scheme) for scheme in _SCHEMES)]
    return [_alone(scheme) for who, scheme in _SECURITY.items() if who & one.callers]


def _alone(scheme: str) -> dict[str, list[str]]:
    return {scheme: []}


def _parameters(one: Operation, known: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, kind in one.parts.items():
        schema = {"type": "string", "format": "uuid"} if kind is None else known[repr(kind)]
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    if one.query is not None:
        (schema,), parts = msgspec.json.schema_components([one.query], ref_template=_REF)
        shape = parts[schema["$ref"].rpartition("/")[2]]
        for name, field in shape["properties"].items():
            required = name in shape.get("required", ())
            found.append({"name": name, "in": "query", "required": required, "schema": field})
    for name in one.headers:
        text = {"name": name, "in": "header", "schema": {"type": "string"}}
        found.append({**text, "required": False, "description": _HEADERS.get(name, "")})
    return found


def _responses(one: Operation, known: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, kind in one.answers.items():
        found[str(status)] = {"description": TITLES.get(status, "Good")}
        if _media(kind):
            found[str(status)]["content"] = {kind: {"schema": {"type": "string"}}}
        elif kind is not None:
            content = {"application/json": {"schema": known[repr(kind)]}}
            content |= {
                media: {"schema": {"type": "string"}} for media in one.media if media == NDJSON
            }
            found[str(status)]["content"] = content
    for status, codes in one.problems.items():
        code = {"properties": {"code": {"enum": list(codes)}}}
        schema = {"allOf": [known[repr(Problem)], code]}
        found[str(status)] = {
            "description": f"{TITLES.get(status, 'Problem')}: {', '.join(codes)}",
            "content": {"application/problem+json": {"schema": schema}},
        }
    return found

"""Operation: one route, declared once. What it takes, what it can answer and who may call it stand
in the decorator; the gate decodes by it, the auth admits by it, the OpenAPI document is made of it.

    operations = Operations("apps")

    @operations.get("/api/apps/{app_id}", answers={200: AppView}, callers=Who.ACCOUNT)
    async def show(house: House, caller: SessionCaller, app_id: str) -> AppView:
        \"\"\"One app. The first line is the summary, the rest the description.\"\"\"

A handler gets, by the names of its parameters: `house`, `caller`, `body`, `query`, and each part of
the path. A part named `…_id` is a UUID in its canonical spelling; what cannot be one is a 404, as
any part that does not match its type in `path`. What a handler returns is rendered with the first
declared status below 300; a `Response` goes out as it is.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from quart import Blueprint, Response

from booper.api import auth, gate
from booper.api.pages import Page
from booper.api.render import rendered
from booper.domain.caller import Scope, Who

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from booper.api.house import House

F = TypeVar("F", bound="Callable[..., Awaitable[Any]]")
Answers = "Mapping[int, Any]"
_PART = re.compile(r"\{(\w+)\}")

_ALWAYS = {500: ("internal_error",), 503: ("unavailable", "store_unavailable", "store_closed")}
_BODY = {
    400: (
        "bad_json",
        "bad_utf8",
        "bad_text",
        "bad_number",
        "duplicate_key",
        "too_deep",
        "too_many_keys",
    ),
    408: ("body_timeout",),
    413: ("body_too_large",),
    415: ("unsupported_media_type",),
    422: ("invalid",),
}


class Operation(NamedTuple):
    """One method on one path. `answers`: status → the type of the body, a media type, or None."""

    tag: str
    method: str
    path: str
    handler: Callable[..., Awaitable[Any]]
    answers: Mapping[int, Any]
    callers: Who
    scope: Scope | None
    body: Any
    query: Any
    parts: Mapping[str, Any]
    headers: Sequence[str]
    errors: Mapping[int, Sequence[str]]
    media: Sequence[str]

    @property
    def status(self) -> int:
        """What a handler means that returns a plain value."""
        return next(status for status in self.answers if status < 300)

    @property
    def problems(self) -> dict[int, tuple[str, ...]]:
        """Every problem it can answer: status → codes."""
        found: dict[int, tuple[str, ...]] = {}
        groups: list[Mapping[int, Sequence[str]]] = [_ALWAYS, self.errors]
        if self.callers is not Who.UNASKED:
            groups.append({401: ("unauthenticated", "invalid_credential", "credential_in_query")})
            if self.scope is not None:
                groups.append({403: ("missing_scope",)})
            if not self.callers & Who.ANYONE:
                code = "operators_only" if self.callers is Who.OPERATOR else "wrong_caller"
                groups.append({403: (code,)})
        if self.parts:
            groups.append({404: ("not_found",)})
        if self.query is not None:
            groups.append({400: ("invalid_query",)})
            if issubclass(self.query, Page):
                groups.append({422: ("invalid_cursor",)})
        if self.body is not None:
            groups.append(_BODY)
        if "If-Match" in self.headers:
            groups.append({412: ("stale",)})
        for group in groups:
            for status, codes in group.items():
                found[status] = tuple(dict.fromkeys([*found.get(status, ()), *codes]))
        return dict(sorted(found.items()))


class Operations:
    """The operations of one file of the front door; `tag` is their common name."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.declared: list[Operation] = []

    def get(self, path: str, **declared: Any) -> Callable[[F], F]:
        """Declare a GET; for the rest see `route`."""
        return self.route("GET", path, **declared)

    def post(self, path: str, **declared: Any) -> Callable[[F], F]:
        """Declare a POST."""
        return self.route("POST", path, **declared)

    def put(self, path: str, **declared: Any) -> Callable[[F], F]:
        """Declare a PUT."""
        return self.route("PUT", path, **declared)

    def patch(self, path: str, **declared: Any) -> Callable[[F], F]:
        """Declare a PATCH."""
        return self.route("PATCH", path, **declared)

    def delete(self, path: str, **declared: Any) -> Callable[[F], F]:
        """Declare a DELETE."""
        return self.route("DELETE", path, **declared)

    def route(
        self,
        method: str,
        path: str,
        *,
        answers: Mapping[int, Any],
        callers: Who,
        scope: Scope | None = None,
        body: Any = None,
        query: Any = None,
        parts: Mapping[str, Any] | None = None,
        headers: Sequence[str] = (),
        errors: Mapping[int, Sequence[str]] | None = None,
        media: Sequence[str] = (),
    ) -> Callable[[F], F]:
        """Declare one route.

        `body`, `query`: msgspec types, decoded before the handler runs; the body of a DELETE may be
        left out, and is then made of its defaults. `parts`: types of parts of
        the path that are no ids. `headers`: request headers it heeds. `errors`: the codes of its
        own problems by status; what the gate, the auth and the store can say is added by itself.
        `media`: with it the handler reads the body itself, in one of these media types or as JSON.
        """

        def declare(handler: F) -> F:
            types: dict[str, Any] = dict.fromkeys(_PART.findall(path))
            types.update(parts or {})
            operation = Operation(
                self.tag,
                method,
                path,
                handler,
                answers,
                callers,
                scope,
                body,
                query,
                types,
                headers,
                errors or {},
                media,
            )
            _check(operation)
            self.declared.append(operation)
            return handler

        return declare

    def blueprint(self, house: House) -> Blueprint:
        """The operations as routes of one house."""
        blueprint = Blueprint(self.tag, __name__)
        for number, operation in enumerate(self.declared):
            blueprint.add_url_rule(
                _rule(operation),
                f"{operation.handler.__name__}{number}",
                _view(house, operation),
                methods=[operation.method],
                provide_automatic_options=False,
            )
        return blueprint


def _rule(operation: Operation) -> str:
    """The path as the router reads it: what is no UUID is no id, and may be another route."""
    return _PART.sub(
        lambda found: f"<{'uuid:' if operation.parts[found[1]] is None else ''}{found[1]}>",
        operation.path,
    )


def _view(house: House, operation: Operation) -> Callable[..., Awaitable[Response]]:
    wanted = inspect.signature(operation.handler).parameters
    handler, parts = operation.handler, operation.parts

    async def answer(**path: Any) -> Response:
        caller = await auth.caller(house, operation.callers, operation.scope)
        given: dict[str, Any] = {
            name: str(text) if parts[name] is None else gate.part(text, parts[name])
            for name, text in path.items()
        }
        if operation.query is not None:
            given["query"] = gate.query(operation.query)
        if operation.body is not None and not operation.media:
            optional = operation.method == "DELETE"  # RFC 9110: its body may be lost on the way
            given["body"] = await gate.body(operation.body, optional=optional)
        if "house" in wanted:
            given["house"] = house
        if "caller" in wanted:
            given["caller"] = caller
        found = await handler(**given)
        if isinstance(found, Response):
            return found
        return rendered(found, operation.status)

    return answer


def _check(operation: Operation) -> None:
    """A declaration that its handler does not fit is a mistake of the programmer: TypeError."""
    parts = set(_PART.findall(operation.path))
    given = {"house", "caller", *operation.parts}
    needed = set(operation.parts)
    for name, kind in (("body", operation.body), ("query", operation.query)):
        if kind is not None and not (name == "body" and operation.media):
            given.add(name)
            needed.add(name)
    untyped = [n for n, kind in operation.parts.items() if kind is None and not n.endswith("_id")]
    if untyped or parts != set(operation.parts):
        raise TypeError(f"{operation.method} {operation.path}: what is {untyped or 'parts'}?")
    takes = set(inspect.signature(operation.handler).parameters)
    if not needed <= takes <= given:
        raise TypeError(f"{operation.method} {operation.path}: {sorted(needed)} ≠ {sorted(takes)}")

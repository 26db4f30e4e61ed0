"""/api/admin/resolvers: the operator's token resolvers, looked at and told what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from booper.api.operation import Operations
from booper.api.render import nothing
from booper.domain.access import LONGEST, Resolution, ResolverStanding, Source
from booper.domain.caller import Who
from booper.domain.errors import Unavailable
from booper.domain.secret import Secret

if TYPE_CHECKING:
    from quart import Response

    from booper.api.house import House
    from booper.ports.access import AccessTokens

operations = Operations("resolvers")

Name = Annotated[str, Meta(min_length=1, max_length=100)]
_AWAY = {503: ("resolver_unavailable", "busy")}


class Resolvers(msgspec.Struct, frozen=True):
    """Each resolver of the settings, by name."""

    resolvers: list[ResolverStanding]


class Found(msgspec.Struct, frozen=True):
    """Whether there is an access token, where it came from, and if not, why. Never the token."""

    found: bool
    source: Source
    why: str


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The access token to use from now on, until `expires_at` (Unix seconds) where given."""

    access_token: Annotated[str, Meta(min_length=1, max_length=LONGEST)]
    expires_at: float | None = None


@operations.get("/api/admin/resolvers", answers={200: Resolvers}, callers=Who.OPERATOR)
async def every(house: House) -> Resolvers:
    """Every token resolver: its state, its sources, the fingerprint and the end of its token."""
    return Resolvers(await _tokens(house).inspect_all())


@operations.get(
    "/api/admin/resolvers/{name}",
    answers={200: ResolverStanding},
    callers=Who.OPERATOR,
    parts={"name": Name},
)
async def one(house: House, name: str) -> ResolverStanding:
    """One token resolver."""
    tokens = _tokens(house)
    return await tokens.inspect(tokens.named(name))


@operations.post(
    "/api/admin/resolvers/{name}/acquire",
    answers={200: Found},
    callers=Who.OPERATOR,
    parts={"name": Name},
)
async def acquire(house: House, name: str) -> Found:
    """Look for an access token as an instance would."""
    tokens = _tokens(house)
    return _shown(await tokens.acquire(tokens.named(name)))


@operations.post(
    "/api/admin/resolvers/{name}/refresh",
    answers={200: Found},
    callers=Who.OPERATOR,
    parts={"name": Name},
)
async def refresh(house: House, name: str) -> Found:
    """Get a new access token now; no copy of the old one is used again."""
    tokens = _tokens(house)
    return _shown(await tokens.refresh(tokens.named(name)))


@operations.post(
    "/api/admin/resolvers/{name}/invalidate",
    answers={204: None},
    callers=Who.OPERATOR,
    parts={"name": Name},
    errors=_AWAY,
)
async def invalidate(house: House, name: str) -> Response:
    """Forget the access token; the next send looks for another."""
    tokens = _tokens(house)
    await tokens.invalidate(tokens.named(name))
    return nothing()


@operations.put(
    "/api/admin/resolvers/{name}/manual",
    answers={200: ResolverStanding},
    callers=Who.OPERATOR,
    parts={"name": Name},
    body=Override,
    errors={
        422: ("invalid_access_token", "no_override"),
        503: ("resolver_unavailable", "busy", "override_not_stored"),
    },
)
async def set_manual(house: House, name: str, body: Override) -> ResolverStanding:
    """Use this access token from now on, also after a restart."""
    tokens = _tokens(house)
    recipe = tokens.named(name)
    await tokens.set_manual(recipe, Secret(body.access_token), body.expires_at)
    return await tokens.inspect(recipe)


@operations.delete(
    "/api/admin/resolvers/{name}/manual",
    answers={204: None},
    callers=Who.OPERATOR,
    parts={"name": Name},
    errors={
        422: ("no_override",),
        503: ("resolver_unavailable", "busy", "override_not_stored"),
    },
)
async def clear_manual(house: House, name: str) -> Response:
    """Take the override back; it is no mistake if there is none."""
    tokens = _tokens(house)
    await tokens.clear_manual(tokens.named(name))
    return nothing()


def _tokens(house: House) -> AccessTokens:
    if house.ports.access is None:
        raise Unavailable("There are no token resolvers here.", code="resolver_unavailable")
    return house.ports.access


def _shown(found: Resolution) -> Found:
    return Found(found.access is not None, found.source, found.why)

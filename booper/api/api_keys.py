"""/api/apps/{app_id}/keys: the credentials of an app's own server, for its owner to hand out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from booper.api.apps import own
from booper.api.operation import Operations
from booper.api.pages import Listed, Page, listed
from booper.api.render import Moment, moment, nothing
from booper.domain import credential
from booper.domain.caller import Caller, Scope, Who
from booper.domain.errors import Conflict, NotFound
from booper.store import api_keys, apps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart import Response

    from booper.api.house import House
    from booper.domain.credential import Credential
    from booper.ports import Tx
    from booper.store.api_keys import ApiKey

operations = Operations("api_keys")

LIVE = 2  # keys of one app at once: one in use, and the one that comes after it


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the key is for; without `scopes`, for everything in its app."""

    label: Annotated[str, Meta(max_length=100)] = ""
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1, max_length=len(Scope))] = tuple(Scope)


class KeyView(msgspec.Struct, frozen=True):
    """A key as it is listed: `prefix` is how it begins."""

    id: str
    prefix: str
    label: str
    scopes: list[Scope]
    created_at: Moment
    revoked_at: Moment | None = None


class KeyMade(msgspec.Struct, frozen=True):
    """The whole key stands here and never again."""

    id: str
    key: str
    prefix: str
    label: str
    scopes: list[Scope]

    def __repr__(self) -> str:
        return f"KeyMade({self.prefix})"


def _view(key: ApiKey) -> KeyView:
    prefix = f"{credential.API_KEY}_{key.name}"
    made, revoked = moment(key.created_at), moment(key.revoked_at)
    return KeyView(key.id, prefix, key.label, key.scopes, made, revoked)


@operations.get(
    "/api/apps/{app_id}/keys",
    query=Page,
    answers={200: Listed[KeyView]},
    callers=Who.ACCOUNT,
)
async def index(house: House, caller: Caller, app_id: str, query: Page) -> Response:
    """The keys of an app by their prefixes, the revoked ones too."""
    database = house.ports.database
    app = await database.read(own, caller, app_id)

    async def fetch(after: str, limit: int) -> Sequence[ApiKey]:
        return await database.read(api_keys.page, app.number, after, limit)

    return await listed(house, caller, query, fetch, _view)


@operations.post(
    "/api/apps/{app_id}/keys",
    body=NewKey,
    answers={201: KeyMade},
    callers=Who.ACCOUNT,
    errors={409: ("too_many_keys",)},
)
async def create(house: House, caller: Caller, app_id: str, body: NewKey) -> KeyMade:
    """A new key, shown this once. Two may live at a time, so that one can follow the other."""
    ports = house.ports
    key = credential.minted(credential.API_KEY, ports.ids.secret(credential.ENTROPY))
    id_, scopes = ports.ids.mint(), sorted(set(body.scopes))
    await ports.database.write(
        _create, caller, app_id, id_, key, body.label, scopes, ports.clock.wall()
    )
    return KeyMade(id_, key.spelled().reveal(), key.prefix, body.label, scopes)


async def _create(
    tx: Tx,
    caller: Caller,
    app_id: str,
    id_: str,
    key: Credential,
    label: str,
    scopes: Sequence[Scope],
    now: float,
) -> None:
    app = await own(tx, caller, app_id)
    await apps.lock(tx, app.number)
    if await api_keys.live(tx, app.number) >= LIVE:
        raise Conflict(f"An app has at most {LIVE} keys: revoke one.", code="too_many_keys")
    await api_keys.create(tx, id_, app.number, key, label, scopes, now)


@operations.delete("/api/apps/{app_id}/keys/{key_id}", answers={204: None}, callers=Who.ACCOUNT)
async def revoke(house: House, caller: Caller, app_id: str, key_id: str) -> Response:
    """Revoke a key: here at once, on every other node within a second."""
    ports = house.ports
    name = await ports.database.write(_revoke, caller, app_id, key_id, ports.clock.wall())
    house.known.drop(name)
    return nothing()


async def _revoke(tx: Tx, caller: Caller, app_id: str, key_id: str, now: float) -> str:
    app = await own(tx, caller, app_id)
    name = await api_keys.revoke(tx, app.number, key_id, now)
    if name is None:
        raise NotFound("There is no such thing.")
    return name

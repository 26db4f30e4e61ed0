"""/api/channels/{channel}/publish_key: the key that a public channel may want for publishing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.api import changes, etag, rooms
from booper.api.channel import MISSING, PART, own, stale
from booper.api.channels import minted
from booper.api.operation import Operations
from booper.api.render import nothing
from booper.domain import credential
from booper.domain.caller import Caller, Who
from booper.store import channel_keys

if TYPE_CHECKING:
    from quart import Response

    from booper.api.etag import Expected
    from booper.api.house import House
    from booper.domain.credential import Credential
    from booper.ports import Tx

operations = Operations("publish_keys")


class PublishKey(msgspec.Struct, frozen=True):
    """The key stands here and never again; publish with `Authorization: Bearer bpp_…`."""

    key: str
    prefix: str

    def __repr__(self) -> str:
        return f"PublishKey({self.prefix})"


@operations.post(
    "/api/channels/{channel}/publish_key",
    parts=PART,
    answers={201: PublishKey},
    callers=Who.CHANNEL | Who.OPERATOR,
    headers=("If-Match",),
    errors={**MISSING, 403: ("not_your_channel",)},
)
async def renew(house: House, caller: Caller, channel: str) -> PublishKey:
    """Publishing in your public channel wants this new key from now on; the one before is void."""
    key = minted(house, credential.PUBLISH)
    await _set(house, caller, channel, key)
    return PublishKey(key.spelled().reveal(), key.prefix)


@operations.delete(
    "/api/channels/{channel}/publish_key",
    parts=PART,
    answers={204: None},
    callers=Who.CHANNEL | Who.OPERATOR,
    headers=("If-Match",),
    errors={**MISSING, 403: ("not_your_channel",)},
)
async def clear(house: House, caller: Caller, channel: str) -> Response:
    """Anybody may publish in your public channel again."""
    await _set(house, caller, channel, None)
    return nothing()


async def _set(house: House, caller: Caller, ref: str, key: Credential | None) -> None:
    await changes.count(house, caller)
    before = await house.ports.database.write(_lock, caller, ref, key, etag.expected())
    if before is not None:
        house.known.drop(before)


async def _lock(
    tx: Tx, caller: Caller, ref: str, key: Credential | None, expected: Expected
) -> str | None:
    """The name of the key that is good no more."""
    found = await own(tx, caller, ref, None, expected)
    if found.app is not None:  # an operator may name it by its id
        raise rooms.no_channel()
    if not await channel_keys.lock(tx, found.number, found.version, key):
        raise stale()
    return found.publish_name

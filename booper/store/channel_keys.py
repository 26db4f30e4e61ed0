"""Channel keys: the secret of whoever made a public channel, and the key to publish in it.

Both are found by their names and proved by their hashes, as every credential here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain.caller import ChannelHolder, Publisher
from booper.ports import Sql

if TYPE_CHECKING:
    from booper.domain.credential import Credential
    from booper.ports import Tx

_HOLDER = Sql(
    "SELECT secret_hash, number, id FROM channels WHERE secret_name = ? AND deleted_at IS NULL"
)
_PUBLISHER = Sql(
    "SELECT publish_hash, number, id FROM channels WHERE publish_name = ? AND deleted_at IS NULL"
)
_SET = Sql(
    "UPDATE channels SET publish_name = ?, publish_hash = ?, version = version + 1"
    " WHERE number = ? AND version = ? AND deleted_at IS NULL"
)


async def know_holder(tx: Tx, given: Credential) -> ChannelHolder | None:
    """Whose channel that secret is; the same work for a wrong secret as for an unknown name."""
    rows = await tx.fetch(_HOLDER, given.name)
    if not given.proves(rows[0][0] if rows else None):
        return None
    return ChannelHolder(rows[0][1], rows[0][2])


async def know_publisher(tx: Tx, given: Credential) -> Publisher | None:
    """To which channel that key publishes; likewise."""
    rows = await tx.fetch(_PUBLISHER, given.name)
    if not given.proves(rows[0][0] if rows else None):
        return None
    return Publisher(rows[0][1], rows[0][2])


async def lock(tx: Tx, channel: int, version: int, key: Credential | None) -> bool:
    """From now on only this key publishes in the channel (None: anybody does); False if the channel
    is not at that version any more."""
    name, proof = (None, None) if key is None else (key.name, key.hash)
    return await tx.execute(_SET, name, proof, channel, version) == 1

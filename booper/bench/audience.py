"""Devices and their subscriptions, written straight into a database: a million in a minute.

Device tokens are sealed as Booper seals them, so whoever serves the database has nothing to make up
for, and is given the same KEYS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.clock import SystemClock, UuidIds, entropy
from booper.ports import Sql
from booper.seal import KeyRing
from booper.settings import Settings
from booper.store import channels
from booper.store.device_tokens import DeviceTokens
from booper.store.opening import open_database
from booper.store.server_keys import ServerKeys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.ports import KeptToken, Tx

PAGE = 5_000
KEYS = {"bench": "A" * 43 + "="}
_DEVICE = Sql(
    "INSERT INTO devices (id, provider, fingerprint, sealed, registered_at)"
    " VALUES (?, 'apns', ?, ?, ?)"
)
_SUBSCRIBE = Sql(
    "INSERT INTO subscriptions (channel, device, id, created_at)"
    " SELECT ?1, number, 'bench-' || number, ?2 FROM devices WHERE number > ?3"
)
_LAST = Sql("SELECT coalesce(max(number), 0) FROM devices")
_ANALYZE = Sql("ANALYZE")


async def prepare(database: str, rooms: Mapping[str, int]) -> dict[str, str]:
    """So many new devices on each channel; the device token of each channel's last."""
    ids, now, last = UuidIds(), SystemClock().wall(), dict[str, str]()
    first = 0

    async def page(tx: Tx, channel: str, kept: Sequence[KeptToken]) -> None:
        room = await channels.ensure(tx, ids.mint(), channel, now)
        ((before,),) = await tx.fetch(_LAST)
        rows = [(ids.mint(), one.fingerprint, one.sealed, now) for one in kept]
        await tx.execute_many(_DEVICE, rows)
        await tx.execute(_SUBSCRIBE, room, now, before)

    async def analyze(tx: Tx) -> None:
        await tx.execute(_ANALYZE)

    async with open_database(Settings(database=database)) as opened:
        keys = ServerKeys(opened, KeyRing(KEYS, entropy), ids, SystemClock())
        tokens = DeviceTokens(keys, ids)
        for channel, count in rooms.items():
            for begin in range(first, first + count, PAGE):
                numbers = range(begin, min(begin + PAGE, first + count))
                kept = [await tokens.keep(f"{number:064x}") for number in numbers]
                await opened.write(page, channel, kept)
            first += count
            last[channel] = f"{first - 1:064x}"
        await opened.write(analyze)
    return last

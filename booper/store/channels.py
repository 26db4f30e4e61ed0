"""Channels and their subscriptions. A public channel is made by its first subscriber."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Tx

_ENSURE = Sql(
    "INSERT INTO channels (id, name, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING"
)
_FIND = Sql("SELECT number FROM channels WHERE name = ?")
_SUBSCRIBE = Sql(
    "INSERT INTO subscriptions (channel, device, id, created_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (channel, device) DO NOTHING"
)
_SUBSCRIPTION = Sql("SELECT id FROM subscriptions WHERE channel = ? AND device = ?")


async def find(tx: Tx, name: str) -> int | None:
    """The row number of the channel with that name."""
    rows = await tx.fetch(_FIND, name)
    return rows[0][0] if rows else None


async def ensure(tx: Tx, id: str, name: str, now: float) -> int:  # noqa: A002
    """The row number of the channel with that name; made with `id` where there was none."""
    await tx.execute(_ENSURE, id, name, now)
    return int((await tx.fetch(_FIND, name))[0][0])


async def subscribe(
    tx: Tx, channel: int, devices: Sequence[tuple[int, str]], now: float
) -> list[str]:
    """Each subscription's id, in order, for (device, id if new); twice changes nothing."""
    await tx.execute_many(_SUBSCRIBE, [(channel, device, new, now) for device, new in devices])
    return [(await tx.fetch(_SUBSCRIPTION, channel, device))[0][0] for device, _ in devices]

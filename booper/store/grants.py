"""Grants: the channels of private apps that a device may see. A public channel needs none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from booper.ports import Tx


class Granted(NamedTuple):
    """A channel of an app that a device has been let into; `channel` is its row number."""

    channel: int
    id: str
    name: str
    title: str
    granted_at: float


_GIVE = Sql(
    "INSERT INTO grants (device, channel, granted_at) VALUES (?, ?, ?)"
    " ON CONFLICT (device, channel) DO NOTHING"
)
_OF_DEVICE = Sql(
    "SELECT c.number, c.id, c.name, c.title, g.granted_at FROM grants g"
    " JOIN channels c ON c.number = g.channel JOIN apps a ON a.number = c.app"
    " WHERE g.device = ? AND c.app = ? AND a.deleted_at IS NULL ORDER BY c.name"
)


async def give(tx: Tx, device: int, channels: Iterable[int], now: float) -> None:
    """Let a device into these channels (by row number); where it is already, nothing changes."""
    await tx.execute_many(_GIVE, [(device, channel, now) for channel in channels])


async def of_device(tx: Tx, device: int, app: int) -> list[Granted]:
    """The channels of an app that a device has been let into, by their names, in order."""
    return [
        Granted(channel, own, name.partition("/")[2], title, granted_at)
        for channel, own, name, title, granted_at in await tx.fetch(_OF_DEVICE, device, app)
    ]

"""Devices: registered once per (provider, instance, device token)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Tx


class Registration(NamedTuple):
    """A device as it introduces itself; `id` is used only if it is new."""

    id: str
    provider: str
    instance: str
    token: str


_REGISTER = Sql(
    "INSERT INTO devices (id, provider, instance, token, registered_at) VALUES (?1, ?2, ?3, ?4, ?5)"
    " ON CONFLICT (provider, instance, token) DO UPDATE"
    " SET registered_at = ?5, gone_at = NULL, gone_reason = NULL"
    " RETURNING id"
)
_FIND = Sql("SELECT number FROM devices WHERE id = ?")
_FIND_BY_TOKEN = Sql("SELECT number FROM devices WHERE token = ?")
_MARK_GONE = Sql(
    "UPDATE devices SET gone_at = ?, gone_reason = ? WHERE number = ? AND gone_at IS NULL"
)


async def register(tx: Tx, registrations: Sequence[Registration], now: float) -> list[str]:
    """Each device's id, in order: the old one where it is known already (and it is alive again)."""
    return [(await tx.fetch(_REGISTER, *device, now))[0][0] for device in registrations]


async def find(tx: Tx, id: str) -> int | None:  # noqa: A002 - the field's own name
    """The row number of a device id."""
    rows = await tx.fetch(_FIND, id)
    return rows[0][0] if rows else None


async def find_by_token(tx: Tx, token: str) -> list[int]:
    """The row numbers of the devices with that device token: one per provider instance."""
    return [row[0] for row in await tx.fetch(_FIND_BY_TOKEN, token)]


async def mark_gone(tx: Tx, gone: Sequence[tuple[int, str]], now: float) -> None:
    """Stop sending to these devices (row number, reason); the rows stay, so it can be undone."""
    await tx.execute_many(_MARK_GONE, [(now, reason, number) for number, reason in gone])

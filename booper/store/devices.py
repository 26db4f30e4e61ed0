"""Devices: one per (provider, instance, device token), owned by whoever holds its device secret.

A device token stands here sealed, and is found by its fingerprint (`device_tokens.py`). A deleted
device keeps its row number, so that nothing still on its way reaches another.
"""

# ruff: noqa: S608 - what is put together is our own columns
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.domain.caller import DeviceCaller
from booper.domain.hint import Hint, Kind
from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.credential import Credential
    from booper.ports import Tx


class Registration(NamedTuple):
    """A device as it introduces itself; `id` is used only if it is new. Without `sealed` the
    `fingerprint` is the device token itself, to be sealed at the next start."""

    id: str
    provider: str
    instance: str
    fingerprint: str
    sealed: bytes | None = None


class Traits(NamedTuple):
    """What a device says of itself."""

    platform: str = ""
    locale: str = ""
    app_version: str = ""


class Device(NamedTuple):
    """A row without its device token. `secret_hash`: None if nobody has proved to be its owner."""

    number: int
    id: str
    provider: str
    instance: str
    platform: str
    locale: str
    app_version: str
    registered_at: float
    gone_at: float | None
    gone_reason: str | None
    secret_name: str | None
    version: int


_COLUMNS = (
    "number, id, provider, instance, platform, locale, app_version, registered_at, gone_at,"
    " gone_reason, secret_name, version"
)
_LIVING = "coalesce(length(sealed), 1) > 0"  # not deleted
_REGISTER = Sql(
    "INSERT INTO devices (id, provider, instance, fingerprint, sealed, registered_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    " ON CONFLICT (provider, instance, fingerprint) DO UPDATE"
    " SET registered_at = ?6, gone_at = NULL, gone_reason = NULL"
    " RETURNING id"
)
_CREATE = Sql(
    "INSERT INTO devices (id, provider, instance, fingerprint, sealed, registered_at,"
    " secret_name, secret_hash, platform, locale, app_version)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    f" ON CONFLICT (provider, instance, fingerprint) DO NOTHING RETURNING {_COLUMNS}"
)
_BY_ID = Sql(f"SELECT {_COLUMNS} FROM devices WHERE id = ? AND {_LIVING}")
_BY_NUMBER = Sql(f"SELECT {_COLUMNS} FROM devices WHERE number = ? AND {_LIVING}")
_BY_MARK = Sql(
    f"SELECT {_COLUMNS} FROM devices WHERE provider = ? AND instance = ? AND fingerprint = ?"
)
_FIND = Sql(f"SELECT number FROM devices WHERE id = ? AND {_LIVING}")
_FIND_BY_TOKEN = Sql(
    "SELECT number FROM devices WHERE fingerprint = ?1 AND (?2 = '' OR provider = ?2)"
)
_KNOW = Sql("SELECT secret_hash, number, id FROM devices WHERE secret_name = ?")
_MOVE = Sql(
    "UPDATE devices SET provider = ?2, instance = ?3, fingerprint = ?4, sealed = ?5,"
    " registered_at = ?6, gone_at = NULL, gone_reason = NULL, version = version + 1"
    " WHERE number = ?1"
)
_CLAIM = Sql(
    "UPDATE devices SET secret_name = ?, secret_hash = ? WHERE number = ? AND secret_name IS NULL"
)
_DESCRIBE = Sql(
    "UPDATE devices SET platform = ?, locale = ?, app_version = ?, version = version + 1"
    f" WHERE number = ? AND version = ? RETURNING {_COLUMNS}"
)
_DELETE = Sql(
    "UPDATE devices SET fingerprint = '-' || id, sealed = ?1, secret_name = NULL,"
    " secret_hash = NULL, platform = '', locale = '', app_version = '', gone_at = ?2,"
    " gone_reason = ?3, version = version + 1 WHERE number = ?4"
)
_SECRET = Sql("SELECT secret_name FROM devices WHERE number = ? AND secret_name IS NOT NULL")
_DROP = tuple(
    Sql(f"DELETE FROM {table} WHERE device = ?")
    for table in ("subscriptions", "grants", "quarantine", "suspects", "members")
)
_MARK_GONE = Sql(
    "UPDATE devices SET gone_at = ?, gone_reason = ? WHERE number = ? AND gone_at IS NULL"
)


async def register(tx: Tx, registrations: Sequence[Registration], now: float) -> list[str]:
    """Each device's id, in order: the old one where it is known already (and it is alive again).

    For whoever may speak for all of them; no device gets a secret.
    """
    return [(await tx.fetch(_REGISTER, *device, now))[0][0] for device in registrations]


async def create(
    tx: Tx, wanted: Registration, traits: Traits, secret: Credential, now: float
) -> Device | None:
    """A new device with its secret; None if its device token is known already."""
    rows = await tx.fetch(_CREATE, *wanted, now, secret.name, secret.hash, *traits)
    return Device(*rows[0]) if rows else None


async def known(tx: Tx, provider: str, instance: str, fingerprint: str) -> Device | None:
    """The device that has that device token."""
    rows = await tx.fetch(_BY_MARK, provider, instance, fingerprint)
    return Device(*rows[0]) if rows else None


async def one(tx: Tx, id: str) -> Device | None:  # noqa: A002 - the field's own name
    """The device with that id."""
    rows = await tx.fetch(_BY_ID, id)
    return Device(*rows[0]) if rows else None


async def numbered(tx: Tx, number: int) -> Device | None:
    """The device with that row number."""
    rows = await tx.fetch(_BY_NUMBER, number)
    return Device(*rows[0]) if rows else None


async def find(tx: Tx, id: str) -> int | None:  # noqa: A002 - the field's own name
    """The row number of a device id."""
    rows = await tx.fetch(_FIND, id)
    return rows[0][0] if rows else None


async def find_by_token(tx: Tx, fingerprint: str, provider: str = "") -> list[int]:
    """The row numbers of the devices with that device token: one per provider instance."""
    return [row[0] for row in await tx.fetch(_FIND_BY_TOKEN, fingerprint, provider)]


async def know(tx: Tx, given: Credential) -> DeviceCaller | None:
    """Who presents that device secret; the same work for a wrong one as for an unknown name."""
    rows = await tx.fetch(_KNOW, given.name)
    if not given.proves(rows[0][0] if rows else None):
        return None
    return DeviceCaller(rows[0][1], rows[0][2])


async def move(tx: Tx, number: int, to: Registration, now: float) -> None:
    """The device has this device token from now on, and is alive."""
    await tx.execute(_MOVE, number, to.provider, to.instance, to.fingerprint, to.sealed, now)


async def claim(tx: Tx, number: int, secret: Credential) -> bool:
    """Give a device that has none a secret; False if somebody was quicker."""
    return await tx.execute(_CLAIM, secret.name, secret.hash, number) == 1


async def describe(tx: Tx, device: Device, traits: Traits) -> Device | None:
    """The device with these traits; None if it is not as `device` says any more."""
    rows = await tx.fetch(_DESCRIBE, *traits, device.number, device.version)
    return Device(*rows[0]) if rows else None


async def delete(tx: Tx, number: int, why: str, now: float) -> None:
    """Nothing but the row number stays; whatever is on its way to the device ends there."""
    for sql in _DROP:
        await tx.execute(sql, number)
    for (name,) in await tx.fetch(_SECRET, number):
        await tx.tell(Hint(Kind.CALLER, name))
    await tx.execute(_DELETE, b"", now, why, number)


async def mark_gone(tx: Tx, gone: Sequence[tuple[int, str]], now: float) -> None:
    """Stop sending to these devices (row number, reason); the rows stay, so it can be undone."""
    await tx.execute_many(_MARK_GONE, [(now, reason, number) for number, reason in gone])

"""Targets: what is read of devices by the hundred: which way each is reached, when an audience is
cut into batches, and where, when a batch is claimed.

The devices of a large audience lie close together: they are read as spans, each one walk along the
table, at half the price of a look for each. Others are looked up one by one.
"""

# ruff: noqa: S608 - what is put together is our own words
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Row, Tx

    Span = tuple[int, int]  # the first device and the last

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(list[int]).decode

GAP = 4  # numbers that a walk passes over
LENGTH = 16  # devices that a span has at least, on average: a walk begins with a look

_SEALED = "coalesce(d.sealed, CAST(d.fingerprint AS BLOB))"
_SEALED_PG = "coalesce(d.sealed, convert_to(d.fingerprint, 'UTF8'))"
_SPANS = "json_each(?) j JOIN devices d ON d.number BETWEEN j.value ->> 0 AND j.value ->> 1"
_EACH = "json_each(?) j JOIN devices d ON d.number = j.value"


class Look(NamedTuple):
    """One question about devices: of spans of them, and of each."""

    spans: Sql
    each: Sql


def _look(sqlite: str, postgresql: str, columns: str, where: str = "true") -> Look:
    """`sqlite` and `postgresql`: the question, with a place for the devices. PostgreSQL would take
    spans for a third of the table; so it is shown one at a time."""
    spans = (
        "(SELECT d.* FROM jsonb_array_elements($1::jsonb) j (value) CROSS JOIN LATERAL"
        f" (SELECT {columns} FROM devices WHERE number BETWEEN (j.value ->> 0)::bigint"
        f" AND (j.value ->> 1)::bigint AND {where} OFFSET 0) d) d"
    )
    each = (
        f"(SELECT {columns} FROM devices WHERE {where}"
        " AND number = ANY(translate($1, '[]', '{}')::bigint[])) d"
    )
    return Look(
        Sql(sqlite.format(f"{_SPANS} WHERE {where}"), postgresql.format(spans)),
        Sql(sqlite.format(f"{_EACH} WHERE {where}"), postgresql.format(each)),
    )


_WAYS = _look(
    "SELECT d.provider, d.instance, json_group_array(d.number) FROM {}"
    " GROUP BY d.provider, d.instance",
    "SELECT d.provider, d.instance, array_to_json(array_agg(d.number))::text FROM {}"
    " GROUP BY d.provider, d.instance",
    "number, provider, instance",
    "gone_at IS NULL",
)
_PLACES = _look(
    f"SELECT d.number, {_SEALED}, d.registered_at FROM {{}}",
    f"SELECT array_agg(d.number), array_agg({_SEALED_PG}), array_agg(d.registered_at) FROM {{}}",
    "number, sealed, fingerprint, registered_at",
)


_ALL = "d.number, d.provider, d.instance, {}, d.registered_at, d.gone_at IS NULL"


def listed(sqlite: str, postgresql: str) -> Sql:
    """Of devices that a statement lists in its column `device`, all that a push takes, and whether
    they live: see `living`."""
    look = "(SELECT * FROM devices WHERE number = p.device OFFSET 0)"  # for each: see `_look`
    return Sql(
        f"SELECT {_ALL.format(_SEALED)} FROM ({sqlite}) p JOIN devices d ON d.number = p.device",
        f"SELECT {_ALL.format(_SEALED_PG)} FROM ({postgresql}) p CROSS JOIN LATERAL {look} d",
    )


_NEAR = listed(
    "SELECT value AS device FROM json_each(?)",
    "SELECT unnest(translate($1, '[]', '{}')::bigint[]) AS device",
)


class Near(NamedTuple):
    """All of a device that its notification takes."""

    number: int
    provider: str
    instance: str
    sealed: bytes
    registered_at: float


class Places(NamedTuple):
    """Sealed device tokens, and when they were last registered (Unix seconds), by device."""

    sealed: dict[int, bytes]
    registered_at: dict[int, float]


async def ways(tx: Tx, devices: Sequence[int]) -> dict[tuple[str, str], list[int]]:
    """The living ones of these (ascending), in that order, by their provider and instance."""
    if not devices:
        return {}
    wanted = set(devices)
    return {
        (provider, instance): sorted(wanted.intersection(_decode(listed)))
        for provider, instance, listed in await tx.fetch(*_of(_WAYS, devices))
    }


async def near(tx: Tx, devices: Sequence[int]) -> list[Near]:
    """The living ones of these few, in their order."""
    if not devices:
        return []
    return living(await tx.fetch(_NEAR, _encode(devices).decode()))


def living(rows: Sequence[Row]) -> list[Near]:
    """Of what a statement of `listed` found, those that live, in order."""
    return sorted(Near(*row) for *row, lives in rows if lives)


async def places(tx: Tx, devices: Sequence[int]) -> Places:
    """Where these and perhaps some others are reached; none for a device that is no more."""
    if not devices:
        return Places({}, {})
    numbers, sealed, registered_at = await tx.columns(3, *_of(_PLACES, sorted(devices)))
    known = dict(zip(numbers, sealed, strict=True))
    return Places(known, dict(zip(numbers, registered_at, strict=True)))


def _of(look: Look, devices: Sequence[int]) -> tuple[Sql, str]:
    """The statement for these devices, and what it is given."""
    found = spans(devices)
    if len(found) * LENGTH <= len(devices):
        return look.spans, _encode(found).decode()
    return look.each, _encode(devices).decode()


def spans(numbers: Sequence[int]) -> list[Span]:
    """What lies between the first and the last of ascending numbers, without gaps over GAP."""
    found, first, last = [], numbers[0], numbers[0]
    if numbers[-1] - first < len(numbers) + GAP:  # one, nearly always
        return [(first, numbers[-1])]
    for number in numbers:
        if number - last > GAP:
            found.append((first, last))
            first = number
        last = number
    found.append((first, last))
    return found

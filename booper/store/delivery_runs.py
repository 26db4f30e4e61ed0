"""Delivery runs: devices of one notification that ended alike, in one row.

Of a million devices nearly all end alike. A row for each takes the store longer than all else that
is done for them; a run of some hundred costs what a row does. Who changes what is known of a
single one (a device that confirms) singles it out first.
"""

# ruff: noqa: S608 - what is put together is our own words
from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

import msgspec

from booper.domain.delivery import BATCH_SIZE
from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from booper.domain.delivery import Ended
    from booper.ports import Row, Tx

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(list[int]).decode
_decode_ids = msgspec.json.Decoder(list[str]).decode

LEAST = 10  # devices in a run: of fewer each has a row
PAGE = 4  # runs that are read at once, as long as more devices are wanted

FIELDS = (
    "notification, first, last, devices, provider_ids, outcome, status, reason, attempt,"
    " finished_at"
)
TYPES = (  # in PostgreSQL
    "notification bigint, first bigint, last bigint, devices text, provider_ids text,"
    " outcome text, status bigint, reason text, attempt bigint, finished_at float8"
)
_APPEND = Sql(
    f"INSERT INTO delivery_runs ({FIELDS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    rows=f"INSERT INTO delivery_runs ({FIELDS}) SELECT {FIELDS}"
    f" FROM json_to_recordset($1::json) AS said ({TYPES})",
)
# The numbers first, along the index: the runs themselves are wide.
_PAGE = Sql(
    "SELECT first, devices, provider_ids, outcome, status, reason, attempt, finished_at"
    " FROM delivery_runs"
    " WHERE number IN (SELECT number FROM delivery_runs WHERE notification = ? AND last > ?"
    "  ORDER BY first, number LIMIT ? OFFSET ?) ORDER BY first, number"
)
_EACH = "delivery_runs r, json_each(r.devices) j"
_EACH_PG = (
    "delivery_runs r, jsonb_array_elements_text(r.devices::jsonb) WITH ORDINALITY j (value, key)"
)
_REACHES = "r.notification = {0} AND r.last >= {1} AND r.first <= {1}"
_SINGLE_OUT = (
    "INSERT INTO deliveries (notification, device, outcome, status, reason, provider_id, attempt,"
    " finished_at) SELECT r.notification, {1}, r.outcome, r.status, r.reason,"
    " coalesce({provider_id}, ''), r.attempt, r.finished_at FROM {each} LIMIT 1"
    " ON CONFLICT (notification, device) DO NOTHING"
)


def _of(notification: str, device: str) -> tuple[str, str]:
    """Where such a device of such a notification stands, in both dialects."""
    reaches = _REACHES.format(notification, device)
    return (
        f"{_EACH} WHERE {reaches} AND j.value = {device}",
        f"{_EACH_PG} WHERE {reaches} AND j.value::bigint = {device}",
    )


def holds(notification: str, device: str) -> Sql:
    """The condition that such a device of such a notification stands in a run."""
    sqlite, postgresql = _of(notification, device)
    return Sql(f"EXISTS (SELECT 1 FROM {sqlite})", f"EXISTS (SELECT 1 FROM {postgresql})")


_SINGLE = Sql(
    _SINGLE_OUT.format("?1", "?2", each=_of("?1", "?2")[0], provider_id="r.provider_ids ->> j.key"),
    _SINGLE_OUT.format(
        *("$1::bigint", "$2::bigint"),
        each=_of("$1::bigint", "$2::bigint")[1],
        provider_id="r.provider_ids::jsonb ->> (j.key - 1)::int",
    ),
)


class Run(msgspec.Struct, frozen=True):
    """A row. `devices` is a JSON array, ascending from `first` to `last`; `provider_ids` has as
    many, or none."""

    notification: int
    first: int
    last: int
    devices: str
    provider_ids: str
    outcome: str
    status: int
    reason: str
    attempt: int
    finished_at: float


def cut(notification: int, attempt: int, ended: Ended, now: float) -> list[Run]:
    """The runs that devices make which ended alike."""
    kind, status, reason, *_ = ended
    runs = []
    for devices, provider_ids in _pieces(ended):
        listed, ids = _encode(devices).decode(), _encode(provider_ids).decode()
        span = (notification, devices[0], devices[-1])
        runs.append(Run(*span, listed, ids, kind.value, status, reason, attempt, now))
    return runs


def _pieces(ended: Ended) -> Iterator[tuple[Sequence[int], Sequence[str]]]:
    """Ascending, BATCH_SIZE of them at most."""
    devices, provider_ids = ended.devices, ended.provider_ids
    if provider_ids:
        pairs = sorted(zip(devices, provider_ids, strict=True))
        devices, provider_ids = list(zip(*pairs, strict=True))
    else:
        devices = sorted(devices)
    for begin in range(0, len(devices), BATCH_SIZE):
        piece = slice(begin, begin + BATCH_SIZE)
        yield devices[piece], provider_ids[piece]


def paired(devices: Sequence[int], provider_ids: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Each with its provider id, "" where there are none."""
    return zip(devices, provider_ids or repeat(""), strict=False)


async def append(tx: Tx, runs: Sequence[Run]) -> None:
    """Write these; their devices have no outcome yet."""
    await tx.insert_many(_APPEND, runs)


async def page(tx: Tx, notification: int, after: int, limit: int) -> dict[int, Row]:
    """The first `limit` devices after that one that stand in runs, and perhaps more: each with the
    rest of a delivery (`deliveries.Delivery` without its device)."""
    found: dict[int, Row] = {}
    offset = 0
    while True:
        runs = await tx.fetch(_PAGE, notification, after, PAGE, offset)
        for _, devices, provider_ids, *end, attempt, ended_at in runs:
            for device, own in paired(_decode(devices), _decode_ids(provider_ids)):
                if device > after:
                    found[device] = (*end, own, attempt, ended_at, None, None)
        # What the next runs hold is behind where the last of these begins.
        if len(runs) < PAGE or sum(device <= runs[-1][0] for device in found) >= limit:
            return found
        offset += PAGE


async def single_out(tx: Tx, notification: int, device: int) -> bool:
    """Give a device of a run a row of its own, to be changed; False if it is in none, or has its
    row already."""
    return bool(await tx.execute(_SINGLE, notification, device))

"""Partitions: PostgreSQL keeps the deliveries of each week in a table of their own, and drops it
as a whole when no notification of that week is left. SQLite has one table, and nothing to do.

A delivery belongs where its notification's number says. So at the begin of a week the numbers of
notifications leap to a block that is that week's; there is always a table for the next one, and
where nobody tends them, numbers just go on in the present one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.ports import Sql

if TYPE_CHECKING:
    from booper.ports import Tx

WEEK = 7 * 86_400
BLOCK = 2**32  # numbers of one week
FIRST = 2**40  # below it are those from before the first leap

_PARTITIONED = Sql("SELECT 0", "SELECT 1")
_NAMES = Sql(
    "SELECT ''",
    "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = 'deliveries'::regclass ORDER BY 1",
)
_LEAP = Sql(
    "SELECT 0",
    "SELECT setval('notifications_number_seq', $1::bigint, false)"
    " FROM notifications_number_seq WHERE last_value < $1::bigint",
)
_ANY = Sql("SELECT 1 FROM notifications WHERE number >= ? AND number < ? LIMIT 1")
_DROP = Sql("SELECT 0", "SELECT deliveries_drop($1, $2::bigint, $3::bigint)")


class Part(NamedTuple):
    """A partition: its table, and the numbers from `low` to below `high` that are its."""

    name: str
    low: int
    high: int


def part_of(week: int) -> Part:
    """The partition of a week, counted from 1970."""
    return Part(f"deliveries_w{week}", week * BLOCK, (week + 1) * BLOCK)


async def tend(tx: Tx, now: float) -> int:
    """See that this week's numbers have begun and that there is a table for the next; drop those
    of which every notification is deleted; how many were dropped."""
    if not (await tx.fetch(_PARTITIONED))[0][0]:
        return 0
    week = int(now // WEEK)
    names = {name for (name,) in await tx.fetch(_NAMES)}
    for wanted in (part_of(week), part_of(week + 1)):
        if wanted.name not in names:
            await _make(tx, wanted)
    await tx.fetch(_LEAP, part_of(week).low)
    dropped = 0
    for part in _closed(names, week):
        if not await tx.fetch(_ANY, part.low, part.high):
            ((done,),) = await tx.fetch(_DROP, *part)
            dropped += bool(done)
    return dropped


def _closed(names: set[str], week: int) -> list[Part]:
    """The partitions of which no transaction can be writing any more: a whole week has passed."""
    weeks = sorted(int(name[12:]) for name in names if name.startswith("deliveries_w"))
    closed = [part_of(one) for one in weeks if one < week - 1]
    if weeks and weeks[0] < week and "deliveries_first" in names:
        closed.insert(0, Part("deliveries_first", 0, FIRST))
    return closed


async def _make(tx: Tx, part: Part) -> None:
    """Made apart and then attached, which does not wait for those who write."""
    like = f"CREATE TABLE {part.name} (LIKE deliveries INCLUDING INDEXES)"
    await tx.execute(Sql("SELECT 0", like))
    attach = f"ALTER TABLE deliveries ATTACH PARTITION {part.name}"
    await tx.execute(Sql("SELECT 0", f"{attach} FOR VALUES FROM ({part.low}) TO ({part.high})"))

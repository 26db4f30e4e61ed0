"""Provider instances as they should be: rows, their sealed generations, and the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain import rotation
from booper.domain.errors import NotFound
from booper.domain.hint import Hint, Kind
from booper.domain.wanted import Wanted
from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from booper.ports import Tx


class Kept(NamedTuple):
    """One generation of an instance's settings. `settings` is sealed, `shown` is JSON without
    what is secret."""

    number: int
    settings: str
    shown: str
    fingerprint: str
    made_at: float
    made_by: str


class Line(NamedTuple):
    """One change, for ever. `number` orders them."""

    number: int
    at: float
    who: str
    verb: str
    version: int
    generation: int
    fingerprint: str
    detail: str


_COLUMNS = Wanted.__struct_fields__
_BOOLEANS = frozenset({"started", "enabled", "preferred"})
_LIST = ", ".join(_COLUMNS)
_ALL = Sql(f"SELECT {_LIST} FROM instances")  # noqa: S608 - our own names
_FIND = Sql(f"SELECT {_LIST} FROM instances WHERE key = ?1")  # noqa: S608
_LOCK = Sql(_FIND.sqlite, _FIND.sqlite.replace("?", "$") + " FOR UPDATE")  # SQLite has one writer
_PLACES = ", ".join(f"?{n + 1}" for n in range(len(_COLUMNS)))
_NOW = _COLUMNS.index("changed_at") + 1
_INSERT = Sql(
    f"INSERT INTO instances ({_LIST}, created_at) VALUES ({_PLACES}, ?{_NOW})"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
_CHANGED = [name for name in _COLUMNS if name not in ("key", "tenant", "name", "provider")]
_SAVE = Sql(
    f"UPDATE instances SET {', '.join(f'{name} = ?{n + 3}' for n, name in enumerate(_CHANGED))}"  # noqa: S608
    " WHERE key = ?1 AND version = ?2"
)
_OF_TENANT = Sql(f"SELECT {_LIST} FROM instances WHERE tenant = ?1 ORDER BY key")  # noqa: S608
_UNPREFER = Sql(
    "UPDATE instances SET preferred = 0, version = version + 1, changed_at = ?4,"  # noqa: S608
    f" changed_by = ?5 WHERE tenant = ?1 AND provider = ?2 AND preferred = 1 AND key <> ?3"
    f" RETURNING {_LIST}"
)
_DELETE = Sql("DELETE FROM instances WHERE key = ?1")
_LAST = Sql(
    "SELECT coalesce(max(version), 0), coalesce(max(generation), 0) FROM instance_audit"
    " WHERE instance = ?1"
)
_GENERATION = Sql(
    "SELECT number, settings, shown, fingerprint, made_at, made_by FROM instance_generations"
    " WHERE instance = ?1 AND number = ?2"
)
_KEEP = Sql(
    "INSERT INTO instance_generations (instance, number, settings, shown, fingerprint, made_at,"
    " made_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
)
_NUMBERS = Sql("SELECT number FROM instance_generations WHERE instance = ?1")
_DROP = Sql("DELETE FROM instance_generations WHERE instance = ?1 AND number = ?2")
_RESEAL = Sql("UPDATE instance_generations SET settings = ?3 WHERE instance = ?1 AND number = ?2")
_SEALED = Sql(
    "SELECT g.instance, i.tenant, i.name, g.number, g.settings FROM instance_generations g"
    " JOIN instances i ON i.key = g.instance"
)
_AUDIT = Sql(
    "INSERT INTO instance_audit (instance, tenant, at, who, verb, version, generation, fingerprint,"
    " detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
)
_LINES = Sql(
    "SELECT number, at, who, verb, version, generation, fingerprint, detail FROM instance_audit"
    " WHERE instance = ?1 AND tenant = ?2 AND number < ?3 ORDER BY number DESC LIMIT ?4"
)
_NEWEST = Sql("SELECT coalesce(max(number), 0) FROM instance_audit")
_SINCE = Sql("SELECT DISTINCT instance FROM instance_audit WHERE number > ?1")
_FORGET = Sql("DELETE FROM node_generations WHERE instance = ?1")


async def every(tx: Tx) -> list[Wanted]:
    """All there are, of every tenant."""
    return [_wanted(row) for row in await tx.fetch(_ALL)]


async def changed(tx: Tx, since: int) -> tuple[int, list[str]]:
    """The number of the newest change, and the keys that changed after number `since`.

    Cheap where nothing did, so every node can ask all the time.
    """
    ((newest,),) = await tx.fetch(_NEWEST)
    if newest <= since:
        return since, []
    return newest, [key for (key,) in await tx.fetch(_SINCE, since)]


async def find(tx: Tx, key: str) -> Wanted | None:
    """One, or None."""
    rows = await tx.fetch(_FIND, key)
    return _wanted(rows[0]) if rows else None


async def known(tx: Tx, key: str) -> Wanted:
    """One, or NotFound `unknown_instance`."""
    wanted = await find(tx, key)
    if wanted is None:
        raise NotFound("There is no such instance.", code="unknown_instance")
    return wanted


async def at(tx: Tx, key: str, check: Callable[[int], None]) -> Wanted:
    """One to be changed, nobody else's until the transaction ends; NotFound, or what `check` says
    of its version."""
    rows = await tx.fetch(_LOCK, key)
    if not rows:
        raise NotFound("There is no such instance.", code="unknown_instance")
    wanted = _wanted(rows[0])
    check(wanted.version)
    return wanted


async def insert(tx: Tx, wanted: Wanted) -> bool:
    """A new row; False if there is one of that key already."""
    return await tx.execute(_INSERT, *_values(wanted, _COLUMNS)) == 1


async def save(tx: Tx, wanted: Wanted, before: int) -> bool:
    """Write what may change, if the row is still at version `before`."""
    return await tx.execute(_SAVE, wanted.key, before, *_values(wanted, _CHANGED)) == 1


async def unprefer(tx: Tx, wanted: Wanted) -> list[str]:
    """Take the preference from any other instance of that tenant and provider; their keys. It is
    a change of theirs, with an audit line: that is how every node hears of it."""
    who = (wanted.tenant, wanted.provider, wanted.key)
    rows = await tx.fetch(_UNPREFER, *who, wanted.changed_at, wanted.changed_by)
    others = [_wanted(row) for row in rows]
    for other in others:
        await note(tx, other, "unprefer", "", f"{wanted.name} is preferred")
    return [other.key for other in others]


async def evict(tx: Tx, tenant: str, who: str, now: float) -> list[Wanted]:
    """Delete every instance of a tenant, each with its audit line; what they were at last."""
    found = [_wanted(row) for row in await tx.fetch(_OF_TENANT, tenant)]
    gone = [rotation.touched(wanted, who, now) for wanted in found]
    for wanted in gone:
        await note(tx, wanted, "delete", "", "")
        await delete(tx, wanted.key)
    return gone


async def delete(tx: Tx, key: str) -> None:
    """The row and its generations; the audit stays."""
    await tx.execute(_FORGET, key)
    await tx.execute(_DELETE, key)


async def last_numbers(tx: Tx, key: str) -> tuple[int, int]:
    """The highest version and generation that an instance of this key ever had."""
    version, generation = (await tx.fetch(_LAST, key))[0]
    return version, generation


async def generation(tx: Tx, key: str, number: int) -> Kept | None:
    """One generation, or None if it is not kept any more."""
    rows = await tx.fetch(_GENERATION, key, number)
    return Kept(*rows[0]) if rows else None


async def kept(tx: Tx, key: str, number: int) -> Kept:
    """One generation, or NotFound `unknown_generation`."""
    found = await generation(tx, key, number)
    if found is None:
        raise NotFound("This generation is not kept any more.", code="unknown_generation")
    return found


async def keep(tx: Tx, key: str, kept: Kept) -> None:
    """A new generation."""
    await tx.execute(_KEEP, key, *kept)


async def drop_others(tx: Tx, key: str, keep: Collection[int | None]) -> None:
    """Forget every generation that is not among `keep`, with the credential in it."""
    for (number,) in await tx.fetch(_NUMBERS, key):
        if number not in keep:
            await tx.execute(_DROP, key, number)


async def sealed(tx: Tx) -> list[tuple[str, str, str, int, str]]:
    """(key, tenant, name, number, sealed settings) of every generation: to be sealed anew."""
    return [(row[0], row[1], row[2], row[3], row[4]) for row in await tx.fetch(_SEALED)]


async def reseal(tx: Tx, key: str, number: int, settings: str) -> None:
    """The same settings under another key."""
    await tx.execute(_RESEAL, key, number, settings)


async def note(tx: Tx, wanted: Wanted, verb: str, fingerprint: str, detail: str) -> None:
    """The audit line of a change: `wanted` as it is after it. Every node hears of it."""
    await tx.tell(Hint(Kind.INSTANCE, wanted.key))
    await tx.execute(
        _AUDIT,
        wanted.key,
        wanted.tenant,
        wanted.changed_at,
        wanted.changed_by,
        verb,
        wanted.version,
        wanted.generation,
        fingerprint,
        detail,
    )


async def lines(tx: Tx, key: str, tenant: str, before: int, limit: int) -> list[Line]:
    """The newest changes first, older than line number `before`."""
    return [Line(*row) for row in await tx.fetch(_LINES, key, tenant, before, limit)]


def _wanted(row: tuple[object, ...]) -> Wanted:
    return msgspec.convert(
        {
            name: bool(value) if name in _BOOLEANS else value
            for name, value in zip(_COLUMNS, row, strict=True)
        },
        Wanted,
    )


def _values(wanted: Wanted, names: Collection[str]) -> list[object]:
    return [
        int(value) if name in _BOOLEANS else value
        for name in names
        for value in (getattr(wanted, name),)
    ]

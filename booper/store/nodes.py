"""The nodes that share this database: signs of life, what each runs, who is alone with a duty.

Their times are the database's own, so that no node's clock decides about another's life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.domain.node import SILENT, Node
from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Collection

    from booper.ports import Tx


class Adopted(NamedTuple):
    """Which version and generation of an instance a node has taken over."""

    node: str
    instance: str
    version: int
    generation: int


class Beat(NamedTuple):
    """When (Unix seconds) a sign of life was written, and whether the node was unknown before."""

    at: float
    new: bool


_NOW = ("((julianday('now') - 2440587.5) * 86400.0)", "extract(epoch from statement_timestamp())")
_PG = _NOW[1] + "::double precision"


def _timed(text: str) -> Sql:
    """The statement with the database's own time in place of NOW."""
    return Sql(text.replace("NOW", _NOW[0]), Sql(text).for_postgresql.replace("NOW", _PG))


_CLOCK = _timed("SELECT NOW")
_BEAT = _timed(
    "INSERT INTO nodes (id, started_at, seen_at, version, host, address, process, late)"
    " VALUES (?1, NOW, NOW, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE"
    " SET seen_at = CASE WHEN NOW > nodes.started_at THEN NOW ELSE nodes.started_at + 0.001 END,"
    " address = ?4, late = ?6 RETURNING seen_at, started_at = seen_at"
)
_LEAVE = _timed("DELETE FROM nodes WHERE id = ?1 OR seen_at <= NOW - ?2")
_ALL = Sql(
    "SELECT id, started_at, seen_at, version, host, address, process, late FROM nodes ORDER BY id"
)
_ADOPT = Sql(
    "INSERT INTO node_generations (node, instance, version, generation) VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT (node, instance) DO UPDATE SET version = ?3, generation = ?4"
    " WHERE node_generations.version < ?3"
)
_ADOPTED = Sql("SELECT node, instance, version, generation FROM node_generations ORDER BY 1, 2")
_LAGGING = _timed(
    "SELECT n.id FROM nodes n LEFT JOIN node_generations g ON g.node = n.id AND g.instance = ?1"
    " WHERE n.seen_at >= NOW - ?3 AND coalesce(g.version, 0) < ?2 ORDER BY n.id"
)
_VERSIONS = Sql("SELECT key, version FROM instances ORDER BY key")
_ALONE = Sql("SELECT ?1 = ?1", "SELECT pg_try_advisory_xact_lock($1)")


async def clock(tx: Tx) -> float:
    """The database's time, Unix seconds."""
    ((now,),) = await tx.fetch(_CLOCK)
    return float(now)


async def beat(tx: Tx, node: Node) -> Beat:
    """This node lives; its times are not taken from the value, but from the database."""
    ((at, new),) = await tx.fetch(
        _BEAT, node.id, node.version, node.host, node.address, node.process, node.late
    )
    return Beat(float(at), bool(new))


async def leave(tx: Tx, node: str, silence: float) -> None:
    """Forget this node, and those not heard of for `silence` seconds (0: everybody)."""
    await tx.execute(_LEAVE, node, silence)


async def every(tx: Tx) -> list[Node]:
    """All that are remembered, also the dead."""
    return [Node(*row) for row in await tx.fetch(_ALL)]


async def adopt(tx: Tx, node: str, adopted: Collection[tuple[str, int, int]]) -> None:
    """This node has taken over (key, version, generation); an older version changes nothing."""
    await tx.execute_many(_ADOPT, [(node, *one) for one in adopted])


async def adopted(tx: Tx) -> list[Adopted]:
    """What every node has taken over."""
    return [Adopted(*row) for row in await tx.fetch(_ADOPTED)]


async def versions(tx: Tx) -> dict[str, int]:
    """The version of every instance: what nodes should have taken over."""
    return {row[0]: row[1] for row in await tx.fetch(_VERSIONS)}


async def lagging(tx: Tx, key: str, version: int) -> list[str]:
    """The living nodes that have not taken over that version yet."""
    return [row[0] for row in await tx.fetch(_LAGGING, key, version, SILENT)]


async def alone(tx: Tx, duty: int) -> bool:
    """Whether this transaction, and until its end no other on any node, has that duty.

    An advisory lock of PostgreSQL: whoever dies with it loses it at once. SQLite's only process
    is always alone.
    """
    ((mine,),) = await tx.fetch(_ALONE, duty)
    return bool(mine)

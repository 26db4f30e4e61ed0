"""Nodes: signs of life in the database's time, duties of one at a time, leases of the dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.domain.node import SILENT, Node
from booper.settings import Delivery
from booper.store import nodes, outbox
from booper.workers.heartbeat import Heartbeat
from tests.booper.store.seeds import audience, claim, expand_all, progress, rows, run_sql
from tests.booper.workers.effects import ports

if TYPE_CHECKING:
    from booper.ports import Database, Tx
    from booper.store.postgresql_driver import PostgresDatabase


class Machine:
    """A machine on which the processes of `ended` are certainly gone."""

    host, mark = "here", "boot/1/2/3"

    def __init__(self, *ended: str) -> None:
        self.ended = ended

    def gone(self, mark: str) -> bool:
        return mark in self.ended


class Clock:
    def __init__(self, wall: float) -> None:
        self._ahead = wall - trio.current_time()

    def wall(self) -> float:
        return self._ahead + trio.current_time()

    def monotonic(self) -> float:
        return trio.current_time()


def node(own: str, process: str = "") -> Node:
    return Node(own, 0.0, 0.0, "1.0", "here", "http://here", process, 0.25)


async def heartbeat(database: Database, *ended: str, own: str = "me") -> list[float]:
    """One life of a heartbeat, as far as its start; what it was told of the time."""
    told: list[float] = []
    clock = Clock(await database.read(nodes.clock))
    outside = ports(database=database, clock=clock)
    beat = Heartbeat(outside, Delivery(), Machine(*ended), told.append, own, "1.0", lambda: "url")
    await beat.begin()
    return told


async def test_a_sign_of_life_bears_the_databases_time(database: Database) -> None:
    before = await database.read(nodes.clock)
    first = await database.write(nodes.beat, node("a"))
    again = await database.write(nodes.beat, node("a"))
    (found,) = await database.read(nodes.every)
    assert (first.new, again.new) == (True, False)
    assert before <= first.at <= again.at == found.seen_at
    assert found.started_at == pytest.approx(first.at, abs=0.001)
    assert (found.version, found.host, found.address, found.late) == (
        *("1.0", "here", "http://here"),
        0.25,
    )
    assert not found.silent(found.seen_at + SILENT)
    assert found.silent(found.seen_at + SILENT + 1)


@pytest.mark.parametrize("kind_of_death", ["ended", "unknown", "silent"])
async def test_what_a_dead_node_held_is_due_again_and_counted_as_perhaps_sent(
    database: Database, kind_of_death: str
) -> None:
    await audience(database, 3)
    await expand_all(database)
    await claim(database)
    ((holder,),) = await rows(database, "SELECT leased_by FROM batches")
    if kind_of_death != "unknown":
        await database.write(nodes.beat, node(holder, "mark"))
    if kind_of_death == "silent":
        sql = "UPDATE nodes SET seen_at = seen_at - ?1"
        await database.write(run_sql, sql, SILENT + 1)
    told = await heartbeat(database, *(["mark"] if kind_of_death == "ended" else []))
    assert await database.read(outbox.holders) == {}
    assert (await progress(database)).maybe_doubled == 3
    there = [one.id for one in await database.read(nodes.every)]
    assert there == (sorted([holder, "me"]) if kind_of_death == "silent" else ["me"])
    assert told == [pytest.approx(await database.read(nodes.clock), abs=5)]


async def test_a_living_node_keeps_what_it_holds(database: Database) -> None:
    await audience(database, 3)
    await expand_all(database)
    await claim(database)
    ((holder,),) = await rows(database, "SELECT leased_by FROM batches")
    await database.write(nodes.beat, node(holder, "mark"))
    await heartbeat(database, "another mark")
    assert await database.read(outbox.holders) == {holder: 1}


async def test_only_living_nodes_are_waited_for(database: Database) -> None:
    for own in ("dead", "old", "new"):
        await database.write(nodes.beat, node(own))
    await database.write(nodes.adopt, "new", [("main", 7, 2)])
    await database.write(nodes.adopt, "old", [("main", 6, 1)])
    await database.write(nodes.adopt, "old", [("main", 5, 1)])
    sql = "UPDATE nodes SET seen_at = seen_at - ?1 WHERE id = ?2"
    await database.write(run_sql, sql, SILENT + 1, "dead")
    assert await database.read(nodes.lagging, "main", 7) == ["old"]
    assert await database.read(nodes.lagging, "main", 6) == []
    assert await database.read(nodes.adopted) == [("new", "main", 7, 2), ("old", "main", 6, 1)]


async def test_one_transaction_has_a_duty_until_it_ends(postgresql: PostgresDatabase) -> None:
    async def nested(tx: Tx) -> tuple[bool, bool, bool]:
        mine = await nodes.alone(tx, 1)
        # Works run in asyncio: another connection is asked from there.
        others = await postgresql._read(nodes.alone, (1,))
        return mine, others, await postgresql._read(nodes.alone, (2,))

    assert await postgresql.write(nested) == (True, False, True)
    assert await postgresql.read(nodes.alone, 1)


async def test_sqlites_only_process_is_alone(sqlite: Database) -> None:
    assert await sqlite.write(nodes.alone, 1)

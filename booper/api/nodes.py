"""GET /api/admin/nodes: who shares this database, and what each of them runs. For operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.api.operation import Operations
from booper.api.render import Moment, moment
from booper.domain.caller import Who
from booper.store import nodes, outbox

if TYPE_CHECKING:
    from booper.api.house import House
    from booper.domain.node import Node
    from booper.ports import Tx
    from booper.store.nodes import Adopted

operations = Operations("nodes")


class Runs(msgspec.Struct, frozen=True):
    """Which version and generation of an instance a node has taken over."""

    version: int
    generation: int


class NodeView(msgspec.Struct, frozen=True):
    """One process. `this`: it gives this answer. `age`: seconds since it started. `silence`:
    seconds since its last sign of life, which came `late` seconds late. `leases`: batches in its
    hands. `behind`: the instances whose newest version it has not taken over yet."""

    id: str
    this: bool
    state: str  # alive, silent
    version: str
    host: str
    pid: int | None
    address: str
    started_at: Moment
    seen_at: Moment
    age: float
    silence: float
    late: float
    leases: int
    instances: dict[str, Runs]
    behind: list[str]


class NodeList(msgspec.Struct, frozen=True):
    """All nodes, the eldest first; a dead one is remembered for a day."""

    nodes: list[NodeView]


@operations.get("/api/admin/nodes", answers={200: NodeList}, callers=Who.OPERATOR)
async def overview(house: House) -> NodeList:
    """The nodes that share this database: age, lag, and which generations each runs."""
    return NodeList(await house.ports.database.read(_look, house.node))


async def _look(tx: Tx, this: str) -> list[NodeView]:
    now, held, wanted = await nodes.clock(tx), await outbox.holders(tx), await nodes.versions(tx)
    runs: dict[str, list[Adopted]] = {}
    for one in await nodes.adopted(tx):
        runs.setdefault(one.node, []).append(one)
    return [
        _view(node, now, held.get(node.id, 0), runs.get(node.id, []), wanted, this=this == node.id)
        for node in await nodes.every(tx)
    ]


def _view(
    node: Node, now: float, leases: int, runs: list[Adopted], wanted: dict[str, int], *, this: bool
) -> NodeView:
    taken = {one.instance: one.version for one in runs}
    return NodeView(
        id=node.id,
        this=this,
        state="silent" if node.silent(now) else "alive",
        version=node.version,
        host=node.host,
        pid=node.pid,
        address=node.address,
        started_at=moment(node.started_at),
        seen_at=moment(node.seen_at),
        age=round(now - node.started_at, 3),
        silence=round(max(now - node.seen_at, 0.0), 3),
        late=round(node.late, 3),
        leases=leases,
        instances={one.instance: Runs(one.version, one.generation) for one in runs},
        behind=[key for key, version in wanted.items() if taken.get(key, 0) < version],
    )

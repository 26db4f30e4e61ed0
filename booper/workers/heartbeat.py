"""Heartbeat: this node's signs of life, and the end of those that give none any more.

What a dead node held is due again, counted as perhaps sent: at the next beat after its process
ended, if that can be seen on this machine; else after SILENT seconds without a sign of life. A
node that was only slow loses its leases, which are fenced; it shows itself and goes on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import structlog

from booper.domain.node import BEAT, FORGOTTEN, Node
from booper.store import nodes, outbox
from booper.workers import names
from booper.workers.duties import LEASES
from booper.workers.messages import Forgotten, Wake, hint
from booper.workers.round import Round

if TYPE_CHECKING:
    from collections.abc import Callable

    from booper.ports import Ports, Tx
    from booper.ports.processes import Processes
    from booper.settings import Delivery

log = structlog.get_logger()


class Heartbeat(Round):
    """Beats every BEAT seconds, and when the address changes."""

    def __init__(
        self,
        ports: Ports,
        delivery: Delivery,
        processes: Processes,
        tell: Callable[[float], None],
        node: str,
        version: str,
        address: Callable[[], str],
    ) -> None:
        """`tell`: called with the database's time at each beat."""
        super().__init__(delivery)
        self._ports = ports
        self._processes = processes
        self._tell = tell
        self._node = node
        self._version = version
        self._address = address
        self._shown = ""
        self._beat_at = -math.inf  # monotonic, as are all here
        self._due_at = math.inf

    async def begin(self) -> None:
        """The first sign of life, before anything else runs. Raises Unavailable."""
        await self._beat(0.0)
        await self._bury()

    async def step(self) -> float:
        now = self._ports.clock.monotonic()
        if self._address() == self._shown and now - self._beat_at < BEAT:
            return BEAT
        if await self._beat(max(now - self._due_at, 0.0)):
            log.warning("node_was_forgotten", node=self._node)
            hint(self.registry, names.KEEPER, Forgotten())
        if await self._bury():
            hint(self.registry, names.DISPATCHER, Wake())
        return BEAT

    async def _beat(self, late: float) -> bool:
        """Show ourselves; whether nobody knew us."""
        asked, address = self._ports.clock.monotonic(), self._address()
        own = (self._version, self._processes.host, address, self._processes.mark, late)
        beat = await self._ports.database.write(nodes.beat, Node(self._node, 0.0, 0.0, *own))
        now = self._ports.clock.monotonic()
        if now - asked < BEAT / 2:  # an answer that took long says little about now
            self._tell(beat.at + (now - asked) / 2)
        self._shown, self._beat_at, self._due_at = address, asked, asked + BEAT
        return beat.new

    async def _bury(self) -> int:
        """Give back what dead nodes hold; how many batches."""
        known, holders = await self._ports.database.read(_look)
        ended = [one.id for one in known.values() if self._processes.gone(one.process)]
        lost = sorted({*ended, *(node for node in holders if self._dead(known.get(node)))})
        freed = await self._ports.database.write(_free, lost, ended) if lost else 0
        if freed:
            log.warning("leases_of_dead_nodes", batches=freed, nodes=lost)
        return freed

    def _dead(self, node: Node | None) -> bool:
        if node is None:
            return True
        return node.id != self._node and node.silent(self._ports.clock.wall())


async def _look(tx: Tx) -> tuple[dict[str, Node], list[str]]:
    return {node.id: node for node in await nodes.every(tx)}, list(await outbox.holders(tx))


async def _free(tx: Tx, lost: list[str], ended: list[str]) -> int:
    if not await nodes.alone(tx, LEASES):
        return 0  # another node is at it
    freed = 0
    for node in lost:
        freed += await outbox.release_of(tx, node)
    for node in ended:
        await nodes.leave(tx, node, FORGOTTEN)
    return freed

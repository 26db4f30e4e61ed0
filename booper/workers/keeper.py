"""Keeper: makes the running instances equal to the rows: at the start, when told, every 30 s.

It starts what should run and does not, and stops what should not; the rest the instances do
themselves when they are shown their row. What could not be read stops nothing. An instance whose
own small supervisor gave up is started again with back-off; nobody else notices.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import structlog

from actors import ActorError, Cast, Ref
from booper.domain.errors import Unavailable
from booper.store import instances, nodes
from booper.workers import names
from booper.workers.messages import Adopted, Apply, Changed, Forgotten, Missed, Wake, hint
from booper.workers.round import Round

if TYPE_CHECKING:
    from booper.domain.wanted import Wanted
    from booper.ports import Ports, Tx
    from booper.settings import Delivery
    from booper.workers.directory import Directory

log = structlog.get_logger()

PAUSE = 5.0  # seconds before an instance that gave up is started again; doubles up to LONGEST
LONGEST = 300.0
EVERY = 30.0  # seconds between two looks at all rows
LOOK = 5.0  # seconds between two looks for instances that gave up


class Stage(Protocol):
    """Where the children are: the supervisor of all instances."""

    async def running(self) -> set[str]:
        """The keys of the children that are there, also of those just starting."""
        ...

    async def start(self, wanted: Wanted) -> None:
        """Start one; nothing if it is there already."""
        ...

    async def stop(self, key: str) -> None:
        """Stop one politely; nothing if it is not there."""
        ...


class Keeper(Round):
    """Takes Changed, Adopted, Missed and Forgotten."""

    def __init__(
        self, ports: Ports, directory: Directory, stage: Stage, delivery: Delivery, node: str
    ) -> None:
        super().__init__(delivery)
        self._ports = ports
        self._directory = directory
        self._stage = stage
        self._node = node
        self._changed: set[str] = set()
        self._adopted: dict[str, tuple[str, int, int]] = {}
        self._written: dict[str, tuple[str, int, int]] = {}  # what stands there as adopted
        self._stopping: set[str] = set()
        self._tries: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._audited = -1  # the newest change seen; at first all rows are read
        self._read_at = self._looked_at = -math.inf

    async def handle_cast(self, message: Cast) -> None:
        match message:
            case Changed(key):
                self._changed.add(key)
                self.wake()
            case Adopted(wanted):
                self._adopt(wanted)
                self.wake()
            case Missed():
                self._read_at = -math.inf
                self.wake()
            case Forgotten():
                self._adopted = self._written | self._adopted
                self._written = {}
                self.wake()
            case _:
                await super().handle_cast(message)

    async def step(self) -> float:
        now = self._ports.clock.monotonic()
        await self._follow()
        if self._changed:
            await self._read_changed()
        if now - self._read_at >= EVERY:
            before, self._read_at = self._read_at, now  # what is missed from here on counts again
            try:
                await self._read_all()
            except Unavailable:
                self._read_at = before
                raise
        if now - self._looked_at >= LOOK:
            self._looked_at = now
            await self._reconcile(list(self._directory))
        await self._write_adopted()
        return math.inf

    async def _follow(self) -> None:
        """What any node changed since the last step; a line that was passed over, because another
        transaction was quicker, is found when all rows are read."""
        since, keys = await self._ports.database.read(instances.changed, self._audited)
        if self._audited >= 0:
            self._changed.update(keys)
        self._audited = since

    async def _read_changed(self) -> None:
        keys, self._changed = self._changed, set()
        try:
            rows = await self._ports.database.read(_several, sorted(keys))
        except Unavailable:
            self._changed |= keys
            raise
        for key, row in rows.items():
            self._take(key, row)
        await self._reconcile([row for row in rows.values() if row is not None], keys)

    async def _read_all(self) -> None:
        rows = await self._ports.database.read(instances.every)
        there = {row.key for row in rows}
        for known in self._directory:
            if known.key not in there:
                # Made after the read, perhaps: ask for it alone.
                self._changed.add(known.key)
                self.wake()
        for row in rows:
            self._take(row.key, row)
        self._looked_at = -math.inf

    def _take(self, key: str, row: Wanted | None) -> None:
        """Know it, and show it to its instance; the row is newer than what we knew, or gone."""
        known = self._directory.get(key)
        if row is None:
            if known is not None:
                self._directory.remove(known)
        elif self._directory.put(row):
            hint(self.registry, names.instance(key), Apply(row))

    async def _reconcile(self, some: list[Wanted], changed: set[str] | None = None) -> None:
        """Start and stop; `changed`: keys that may also have no row any more."""
        idle = [one for one in some if one.started and not self._lives(one.key)]
        ended = {one.key for one in some if not one.started and self._lives(one.key)}
        for one in some:
            if not one.started:
                self._adopt(one)
        running = await self._stage.running() if idle or changed else set()
        for key in running & (changed or set()):
            known = self._directory.get(key)
            if known is None or not known.started:
                ended.add(key)
        for key in ended - self._stopping:
            self._stopping.add(key)
            self.nursery.start_soon(self._stop, key)
        now = self._ports.clock.monotonic()
        for one in idle:
            if one.key not in running:
                await self._start(one, now)
        hint(self.registry, names.DISPATCHER, Wake())

    async def _stop(self, key: str) -> None:
        """In a task: what is in flight may take its time. Afterwards it may be wanted again."""
        try:
            await self._stage.stop(key)
        except ActorError as error:
            log.error("instance_not_stopped", instance=key, why=type(error).__name__)
        self._stopping.discard(key)
        self._tries.pop(key, None)
        self._not_before.pop(key, None)
        if self._directory.get(key) is not None:
            self._changed.add(key)
            self.wake()

    async def _start(self, wanted: Wanted, now: float) -> None:
        key = wanted.key
        if now < self._not_before.get(key, -math.inf):
            return
        tries = self._tries[key] = self._tries.get(key, 0) + 1
        self._not_before[key] = now + min(PAUSE * 2.0 ** (tries - 1), LONGEST)
        if tries > 1:
            log.warning("instance_restarted", instance=key, tries=tries)
        await self._stage.start(wanted)

    def _lives(self, key: str) -> bool:
        return Ref(self.registry, names.instance(key)).statistics() is not None

    def _adopt(self, wanted: Wanted) -> None:
        written = self._written.get(wanted.key)
        if written is None or written[1] < wanted.version:
            self._adopted[wanted.key] = (wanted.key, wanted.version, wanted.generation)

    async def _write_adopted(self) -> None:
        if self._adopted:
            adopted = list(self._adopted.values())
            await self._ports.database.write(nodes.adopt, self._node, adopted)
            for one in adopted:
                self._written[one[0]] = one
                if self._adopted.get(one[0]) == one:
                    del self._adopted[one[0]]


async def _several(tx: Tx, keys: list[str]) -> dict[str, Wanted | None]:
    return {key: await instances.find(tx, key) for key in keys}

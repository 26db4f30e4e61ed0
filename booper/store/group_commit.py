"""Group commit: whatever waits when the last commit ends goes into the next one.

So a hundred callers cost one flush. The queue is the same for both databases; how a group of
works becomes durable is the driver's business.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import outcome
import trio

from booper.domain.errors import Unavailable
from booper.precedence import precedence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from booper.ports import Tx

T = TypeVar("T")
S = TypeVar("S")
U = TypeVar("U")
LIGHT = 8  # what weighs less is light
Lot = tuple[int, int]


class Work(NamedTuple):
    """What is to be written: `function(tx, *args)`; of what `weight`."""

    function: Callable[..., Awaitable[Any]]
    args: tuple[Any, ...]
    weight: int = 1

    @property
    def heavy(self) -> bool:
        return self.weight >= LIGHT


class Waiting(NamedTuple):
    """Somebody's work, and whom to wake with the result. `joins`: its last argument is an item that
    goes in one list with those of others who want the same."""

    work: Work
    task: trio.lowlevel.Task
    joins: bool = False

    @property
    def lot(self) -> Lot | None:
        """What those that go in one list have in common."""
        return (id(self.work.function), id(self.work.args[0])) if self.joins else None


class GroupCommit:
    """The writing half of a Database: collects works, and lets the driver commit them together."""

    most = 128  # the weight of one commit; a usual work weighs 1
    pause = 0.002  # seconds for which heavy works gather

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._parked: list[trio.lowlevel.Task] = []
        self._under_way: set[Lot | None] = set()
        self._writers = 0
        self._gates: set[trio.Event] = set()  # of writers that hold heavy works back
        self._heavy = 0  # groups under way with something heavy in them
        self._lightly = False  # the last group left the heavy ones waiting
        self._closing = False
        self.commits = 0
        self.migrated = 0  # how many migrations were applied when it was opened

    async def commit(self, works: Sequence[Work]) -> list[outcome.Outcome[Any]]:
        """Make a group of works durable: one outcome per work, in order. The driver's part."""
        raise NotImplementedError

    async def write(self, work: Callable[..., Awaitable[T]], *args: Any, weight: int = 1) -> T:
        """The result of the work, durable; once begun it is seen through."""
        result: T = await self._write(Work(work, args, weight), joins=False)
        return result

    async def gather(
        self,
        work: Callable[[Tx, S, list[U]], Awaitable[list[T]]],
        shared: S,
        item: U,
        *,
        weight: int = 1,
    ) -> T:
        """The same for one item of a work that takes many: one list is written at a time, and what
        comes meanwhile is the next."""
        result: T = await self._write(Work(work, (shared, item), weight), joins=True)
        return result

    async def _write(self, work: Work, *, joins: bool) -> Any:
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._closing:
            raise closed()
        waiting = Waiting(work, trio.lowlevel.current_task(), joins)
        self._waiting.append(waiting)
        if not work.heavy:
            for gate in self._gates:
                gate.set()
        if self._parked and waiting.lot not in self._under_way:
            trio.lowlevel.reschedule(self._parked.pop())
        return await trio.lowlevel.wait_task_rescheduled(_see_it_through)

    async def run(self) -> None:
        """Commit what waits, until `close`; shielded, because callers wait for it.

        Several may run: then as many groups are under way at once.
        """
        self._writers += 1
        try:
            with trio.CancelScope(shield=True):
                while True:
                    await self._hold()
                    group = self._take()
                    if not group and self._closing:
                        break
                    if group:
                        await self._run_group(group)
                        await trio.lowlevel.checkpoint()
                    else:
                        self._parked.append(trio.lowlevel.current_task())
                        await trio.lowlevel.wait_task_rescheduled(_see_it_through)
        finally:  # whatever ended it: nobody is left waiting for an answer that never comes
            self._writers -= 1
            self._closing = True
            left = [one for one in self._waiting if one.lot not in self._under_way]
            for waiting in left:
                self._waiting.remove(waiting)
                trio.lowlevel.reschedule(waiting.task, outcome.Error(closed()))

    async def _hold(self) -> None:
        """Where all that waits is heavy: let it gather, and what is light elsewhere pass; light
        work cuts it short."""
        if self._closing or not self._waiting or not all(one.work.heavy for one in self._waiting):
            return
        gate = trio.Event()
        self._gates.add(gate)
        try:
            with trio.move_on_after(self.pause):
                await gate.wait()
            if not gate.is_set():
                await precedence().clear(gate)
        finally:
            self._gates.discard(gate)

    def _take(self) -> list[Waiting]:
        """The next group: of those whose turn it is as far as their weight allows, and of each lot
        what it allows. Where several write, each takes an even share of works."""
        turn = self._turn()
        lots = {one.lot for one in turn if one.joins}
        works = len(lots) + sum(not one.joins for one in turn)
        share = -(-works // max(self._writers, 1))
        group: list[Waiting] = []
        taken: set[Lot | None] = set()
        room = self.most
        for one in turn:
            if group and one.work.weight > room:
                continue
            if not one.joins or one.lot not in taken:
                if not share:
                    continue
                share -= 1
            taken.add(one.lot)
            room -= one.work.weight
            group.append(one)
        if group:
            chosen = set(map(id, group))
            self._waiting = deque(one for one in self._waiting if id(one) not in chosen)
        return group

    def _turn(self) -> list[Waiting]:
        """Whose turn it is: what is light by itself; else, and after that, whoever has waited
        longest, then the light ones, then the others. Nothing of a lot that is being written, and
        nothing heavy for the last of several writers, so that what is light finds one."""
        free = [one for one in self._waiting if one.lot not in self._under_way]
        light = [one for one in free if not one.work.heavy]
        heavy = [one for one in free if one.work.heavy]
        kept = self._heavy and self._heavy >= self._writers - 1 and not self._closing
        if light and (kept or (heavy and not self._lightly)):
            self._lightly = True
            return light
        if kept:
            return []
        self._lightly = False
        if free and free[0].work.heavy:
            return [free[0], *light, *heavy[1:]]
        return [*light, *heavy]

    def close(self) -> None:
        """Refuse new writes; what waits is still committed."""
        self._closing = True
        while self._parked:
            trio.lowlevel.reschedule(self._parked.pop())

    async def _run_group(self, group: Sequence[Waiting]) -> None:
        results: list[outcome.Outcome[Any]] = [outcome.Error(closed()) for _ in group]
        lots = {waiting.lot for waiting in group} - {None}
        heavy = any(waiting.work.heavy for waiting in group)
        self._under_way |= lots
        self._heavy += heavy
        try:
            results = await self._commit(group)
        finally:
            self._heavy -= heavy
            self._under_way -= lots
            for waiting, result in zip(group, results, strict=True):
                trio.lowlevel.reschedule(waiting.task, result)

    async def _commit(self, group: Sequence[Waiting]) -> list[outcome.Outcome[Any]]:
        """One outcome for each; what joins is one work, and where that fails, each by itself."""
        joined = _joined(group)
        committed = await self.commit([_work([group[at] for at in places]) for places in joined])
        results: dict[int, outcome.Outcome[Any]] = {}
        for places, result in zip(joined, committed, strict=True):
            if not group[places[0]].joins:
                results[places[0]] = result
            elif isinstance(result, outcome.Value):
                results |= zip(places, map(outcome.Value, result.value), strict=True)
            elif isinstance(result, outcome.Error) and (
                len(places) == 1 or isinstance(result.error, Unavailable)
            ):
                # An outcome is unwrapped once: each needs its own.
                results |= {place: outcome.Error(result.error) for place in places}
            else:
                for place in places:
                    (results[place],) = await self._commit([group[place]])
        return [results[place] for place in range(len(group))]


def _joined(group: Sequence[Waiting]) -> list[list[int]]:
    """The places of those that go together, each lot where its first one stands."""
    found: list[list[int]] = []
    lots: dict[Lot, list[int]] = {}
    for place, waiting in enumerate(group):
        if waiting.lot is None:
            found.append([place])
            continue
        lot = lots.setdefault(waiting.lot, [])
        if not lot:
            found.append(lot)
        lot.append(place)
    return found


def _work(lot: Sequence[Waiting]) -> Work:
    work = lot[0].work
    if not lot[0].joins:
        return work
    items = [waiting.work.args[1] for waiting in lot]
    return Work(work.function, (work.args[0], items), sum(one.work.weight for one in lot))


def _see_it_through(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED


def closed() -> Unavailable:
    """The error of whoever still asks a store that is closing."""
    return Unavailable("The store is closing.", code="store_closed")

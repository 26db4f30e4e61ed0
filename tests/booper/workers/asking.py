"""What the receipt poller meets, over days of virtual time: a store, instances, a clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import trio

from actors import LATER, Actor, Call, Registry, Reply, actor_worker
from booper.domain.brake import Brake
from booper.domain.delivery import settle, ticketed
from booper.domain.errors import Unavailable
from booper.domain.outcome import Kind, Outcome
from booper.domain.protection import DEFAULT
from booper.domain.receipt import Heard
from booper.domain.routing import Routes
from booper.settings import Delivery
from booper.store import settlements
from booper.workers import names
from booper.workers.messages import Ask, Weigh
from booper.workers.receipt_poller import ReceiptPoller
from tests.booper.store import seeds

if TYPE_CHECKING:
    from actors import Stop
    from booper.ports import Ports
    from booper.store.sqlite_driver import SqliteDatabase

DELIVERY = Delivery(tick=30.0)
Answering: TypeAlias = Callable[[float, tuple[str, ...]], Awaitable[list[Heard]]]


class Virtual:
    """The clock of a trio run, begun at the seeds' moment; and dice that always say a half."""

    def wall(self) -> float:
        return seeds.NOW + self.monotonic()

    def monotonic(self) -> float:
        return trio.current_time() - self._zero

    def __init__(self) -> None:
        self._zero = trio.current_time()

    def random(self) -> float:
        return 0.5


class Told(Actor):
    """An instance that answers what it is told to: `answer(age, tickets)`."""

    def __init__(self, answer: Answering, clock: Virtual) -> None:
        self._answer = answer
        self._clock = clock
        self._brake = Brake(DEFAULT)
        self.asked: list[tuple[float, int]] = []

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        if isinstance(message, Weigh):
            return self._brake.weigh(message.judged, message.drops, self._clock.monotonic())
        assert isinstance(message, Ask)
        self.asked.append((self._clock.monotonic(), len(message.tickets)))
        self.nursery.start_soon(self._reply, message.tickets, reply)
        return LATER

    async def _reply(self, tickets: tuple[str, ...], reply: Reply[list[Heard]]) -> None:
        reply.send(await self._answer(self._clock.monotonic(), tickets))


class Flaky:
    """A database that can be away."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self.away = False

    async def read(self, work: Any, *args: Any) -> Any:
        return await self._reached(self._database.read, work, *args)

    async def write(self, work: Any, *args: Any, **how: Any) -> Any:
        return await self._reached(partial(self._database.write, **how), work, *args)

    async def gather(self, work: Any, *args: Any, **how: Any) -> Any:
        return await self._reached(partial(self._database.gather, **how), work, *args)

    async def _reached(self, how: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        if self.away:
            raise Unavailable("away")
        return await how(*args)


class World:
    """A database, a poller, and the instances that a test wants."""

    def __init__(self, database: SqliteDatabase, nursery: trio.Nursery) -> None:
        self.database = database
        self.flaky = Flaky(database)
        self.clock = Virtual()
        self.registry = Registry()
        self._nursery = nursery

    async def instance(self, answer: Answering, name: str = "main") -> tuple[Told, Stop]:
        made: list[Told] = []

        def make() -> Told:
            made.append(Told(answer, self.clock))
            return made[0]

        stop = await self._nursery.start(actor_worker(make, self.registry, names.instance(name)))
        return made[0], stop

    async def poller(self) -> Stop:
        ports = cast("Ports", Surroundings(self.flaky, self.clock))
        worker = actor_worker(lambda: ReceiptPoller(ports, DELIVERY), self.registry, names.RECEIPTS)
        stop: Stop = await self._nursery.start(worker)
        return stop

    async def accepted(self, count: int, own: str = "n1", instance: str = "main") -> None:
        """A notification to that many devices, accepted with a ticket each, now."""
        first = 10_000 if instance != "main" else 0
        registrations = [seeds.registration(first + n, instance) for n in range(count)]

        async def work(tx: Any) -> None:
            await seeds.listeners(tx, registrations, own)
            await seeds.notify(tx, own, own)

        await self.database.write(work)
        await seeds.expand_all(self.database, Routes({"main": "apns", "other": "apns"}, {}))
        for batch in await seeds.claim(self.database, instance=instance, now=self.clock.wall()):
            outcomes = [
                Outcome(Kind.ACCEPTED, 200, provider_id=f"{own}/{t.device}") for t in batch.targets
            ]
            now = self.clock.wall()
            done = ticketed(settle(batch, outcomes, now=now, dice=0.0), now)
            await self.database.write(settlements.settle, [done], now)

    async def counts(self, own: str = "n1") -> dict[str, int]:
        shown = await seeds.progress(self.database, own)
        return {kind: count for kind, count in shown.counts.items() if count}

    async def until(self, age: float) -> None:
        await trio.sleep(age - self.clock.monotonic())


class Surroundings:
    """What the poller needs of the ports."""

    def __init__(self, database: Flaky, clock: Virtual) -> None:
        self.database = database
        self.clock = self.dice = clock

"""The Instance actor: batches cast to it, settlements taken from it, everything between is real.

Content is decoded and compiled by the real codec, devices are stamped, answers read into Outcomes,
settlements decided. Only the store is not: its place takes a fake that is done at once, because
durability is measured elsewhere and is not the engine's matter. Closed loop, as many batches in
hand as keep `streams` streams busy. Latency: batches of one device, one due every millisecond,
from then to the settlement.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import trio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from actors import Ref, Registry, actor_worker
from booper import providers
from booper.bench import job as jobs
from booper.bench.job import Job, Result
from booper.bench.meter import Meter, resident
from booper.bench.pool import LIST, latencies, note
from booper.clock import SystemClock, SystemDice, UuidIds, entropy
from booper.domain.content import Content
from booper.domain.delivery import Batch, Settlement, Target
from booper.domain.protection import DEFAULT, Protection
from booper.domain.wanted import Wanted
from booper.ports import Ports
from booper.seal import KeyRing, new_key
from booper.settings import Delivery
from booper.store.device_tokens import DeviceTokens
from booper.store.server_keys import ServerKeys
from booper.transport import Network
from booper.workers.instance import Instance
from booper.workers.messages import Send, Status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from booper.providers.provider import Codec

CAMPAIGN = 100  # batches of one notification


def apns(job: Job) -> Result:
    """With APNs' codec."""
    place = job.place
    table: dict[str, object] = {
        "provider": "apns",
        "key_id": place.key_id,
        "team_id": place.team_id,
        "topic": place.topic,
        "private_key": Path(place.key_file).read_text("utf-8"),
        "url": f"https://{place.host}:{place.port}",
        "ca_file": place.ca_file,
        "max_connections": 1,
    }
    return trio.run(_measure, job, "apns", providers.codec("bench", table, time.time()))


def fcm(job: Job) -> Result:
    """With FCM's codec and a service account made for the occasion."""
    place = job.place
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {"client_email": "bench@example.com", "private_key": pem, "private_key_id": "1"}
    table: dict[str, object] = {
        "provider": "fcm",
        "credentials": msgspec.json.encode(account).decode(),
        "project_id": place.fcm_project,
        "url": f"https://{place.host}:{place.fcm_port}",
        "ca_file": place.ca_file,
        "max_connections": 1,
    }
    return trio.run(_measure, job, "fcm", providers.codec("bench", table, time.time()))


async def _measure(job: Job, kind: str, codec: Codec) -> Result:
    registry = Registry()
    store = Immediate()
    dice = SystemDice()
    seal = KeyRing({"bench": new_key(entropy)}, entropy)
    clock, ids = SystemClock(), UuidIds()
    tokens = DeviceTokens(ServerKeys(store, seal, ids, clock), ids)
    ports = Ports(store, Network(dice), clock, ids, dice, seal, tokens)
    worker = actor_worker(
        lambda: Instance(Fixed(kind, codec), ports, Delivery()), registry, "bench"
    )
    async with trio.open_nursery() as nursery:
        stop = await nursery.start(worker)
        run = Run(Ref(registry, "bench"), store)
        await run.closed(max(job.warmup, LIST), 1)
        before = (await run.instance.call(Status())).accepted
        meter = Meter(job.place.pid)
        requests = await run.closed(job.requests, -(-2 * job.streams // LIST) + 1)
        meter.stop()
        standing = await run.instance.call(Status())
        result = Result(
            requests=requests,
            ok=standing.accepted - before,
            seconds=meter.seconds,
            cpu=meter.cpu,
            server_cpu=meter.server_cpu,
            growth_mib=run.growth,
        )
        if job.latency:
            note(result, await latencies(run.single, job.latency))
        stop()
    return result


class Fixed:
    """The `Source` of an instance that never changes."""

    def __init__(self, kind: str, codec: Codec) -> None:
        self._wanted = Wanted("bench", "", "bench", kind, "api", 1, 1, 1, 0.0, "bench")
        self._codec = codec

    def wanted(self) -> Wanted:
        return self._wanted

    async def codec(self, number: int) -> tuple[Codec, Protection]:  # noqa: ARG002  (there is one)
        return self._codec, DEFAULT

    async def proved(self, number: int) -> None:
        """Nobody asks."""

    async def refused(self, number: int, words: str) -> None:
        """Nobody asks."""

    def adopted(self, wanted: Wanted) -> None:
        """Nobody asks."""


class Immediate:
    """A Database that takes every settlement at once and tells who waits for it."""

    def __init__(self) -> None:
        self._waiting: dict[int, trio.Event] = {}

    async def read(self, work: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        raise NotImplementedError

    async def write(self, work: Callable[..., Awaitable[Any]], *args: Any, **how: Any) -> Any:
        raise NotImplementedError

    async def gather(
        self,
        work: Callable[..., Awaitable[Any]],  # noqa: ARG002 - there is but one
        shared: Any,  # noqa: ARG002
        item: Any,
        *,
        weight: int = 1,  # noqa: ARG002
    ) -> Any:
        settlement: Settlement = item
        self._waiting.pop(settlement.batch).set()
        return True

    def settled(self, batch: int) -> trio.Event:
        """Set when that batch is settled; to be asked for before it is cast."""
        event = self._waiting[batch] = trio.Event()
        return event


class Run:
    """Casts batches and waits for their settlements."""

    def __init__(self, instance: Ref, store: Immediate) -> None:
        self.instance = instance
        self.growth: float | None = None
        self._store = store
        self._number = 0
        now = time.time()
        self._expires = now + 86_400
        targets = [Target(n + 1, jobs.device(n), now) for n in range(jobs.DEVICES)]
        self._runs = [tuple(targets[at : at + LIST]) for at in range(0, len(targets), LIST)]
        content = Content(title=jobs.TITLE, body=jobs.TEXT)
        self._content = msgspec.json.encode(content).decode()
        self._now = now

    async def closed(self, requests: int, in_hand: int) -> int:
        """At least so many devices, in whole batches; how many. `growth` is in MiB, last fifth
        against first."""
        turns = -(-requests // LIST)
        early = (turns + 4) // 5
        begun = iter(range(turns))
        memory: list[float] = []

        async def hand() -> None:
            for turn in begun:
                if turn == early:
                    memory.append(resident())
                await self._one(self._runs[turn % len(self._runs)])

        async with trio.open_nursery() as nursery:
            for _ in range(in_hand):
                nursery.start_soon(hand)
        self.growth = resident() - memory[0] if memory else None
        return turns * LIST

    async def single(self, number: int) -> None:
        run = self._runs[number % len(self._runs)]
        await self._one(run[:1])

    async def _one(self, targets: tuple[Target, ...]) -> None:
        self._number = number = self._number + 1
        notification = number // CAMPAIGN
        batch = Batch(
            number=number,
            lease="bench",
            notification=notification,
            notification_id=jobs.PUSH_ID % notification,
            instance="bench",
            attempt=1,
            content=self._content,
            created_at=self._now,
            expires_at=self._expires,
            targets=targets,
        )
        settled = self._store.settled(number)
        self.instance.cast(Send(batch))
        await settled.wait()

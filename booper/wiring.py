"""Wiring: opens the adapters in order, builds the tree on them, runs it, closes them in reverse."""

from __future__ import annotations

import gc
import os
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog
import trio

from actors import Registry
from booper.api.app import create_app
from booper.api.front import Front
from booper.api.house import House
from booper.api.known import Known
from booper.clock import SharedClock, SystemClock, SystemDice, UuidIds, entropy
from booper.commands import LocalCommands
from booper.domain.errors import Misconfigured
from booper.domain.node import FORGOTTEN
from booper.domain.redact import scrub
from booper.files import LocalFiles
from booper.limiter import MemoryLimiter, open_redis_limiter
from booper.passwords import Argon2Passwords
from booper.ports import Ports
from booper.ports.access import Host
from booper.processes import LocalProcesses
from booper.providers import codec
from booper.providers.provider import Resolving
from booper.providers.recipes import recipe
from booper.seal import KeyRing, key_file
from booper.store import instances, nodes, outbox
from booper.store.device_tokens import DeviceTokens
from booper.store.opening import hints_of, open_database
from booper.store.server_keys import ServerKeys
from booper.transport import Guard, Network
from booper.tree import tree
from booper.workers import names
from booper.workers.configuration import seed
from booper.workers.directory import Directory
from booper.workers.heartbeat import Heartbeat
from booper.workers.listener import Listener
from booper.workers.messages import Wake, hint
from booper.workers.registrar import Registrar
from booper.workers.resolvers import Resolvers
from booper.workers.safe import Safe
from supervisors import Report, RunningTree, StartFailed, SupervisorSpec, run_tree

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Container, Mapping, Sequence

    from booper.ports import Clock, Limiter, Transport
    from booper.providers.provider import Codec
    from booper.settings import Settings
    from booper.workers.safe import Make

log = structlog.get_logger()


class Booper:
    """A running Booper: where it listens, how to look at it, how to stop it."""

    def __init__(
        self,
        ports: Ports,
        registry: Registry,
        registrar: Registrar,
        tree: RunningTree,
        url: str,
    ) -> None:
        self.ports = ports
        self.registry = registry
        self.registrar = registrar
        self.tree = tree
        self.url = url

    def stop(self) -> None:
        """Ask for an orderly end: the front first, then what it stands on. Returns at once."""
        self.tree.stop()


async def run(
    settings: Settings,
    *,
    make: Make = codec,
    transport: Transport | None = None,
    clock: Clock | None = None,
    listeners: Sequence[int] = (),
    task_status: trio.TaskStatus[Booper] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run Booper until it is stopped; ready when it listens.

    Raises Misconfigured, with nothing left running, if a setting is wrong; whatever ended the
    tree otherwise. `make` (what makes a codec of an instance's settings), `transport` and `clock`
    may be handed in; `listeners`: descriptors that somebody else listens on already.
    """
    clock, registry = clock or SystemClock(), Registry()
    ids, dice = UuidIds(), SystemDice()
    recipes = [recipe(name, table) for name, table in settings.resolvers.items()]
    make = partial(_resolvable, make, settings.resolvers)
    guard = Guard(settings.guard.networks, high_ports=settings.guard.high_ports)
    for name, table in settings.instances.items():
        make(name, table, clock.wall())  # a mistake is told before anything is touched
    node, hints = ids.mint(), hints_of(settings)
    async with open_database(settings) as database, _limiter(settings, clock) as limiter:
        shared: SharedClock | None = None
        if settings.on_postgresql:  # many nodes, one time
            clock = shared = SharedClock(clock, await database.read(nodes.clock))
        if not settings.on_postgresql:  # whoever was here before is dead: the file has one holder
            await database.write(nodes.leave, node, 0.0)
            if freed := await database.write(outbox.release_all):
                log.warning("leases_of_a_dead_process", batches=freed)
        # With the database in hand nobody else makes the same file.
        keys = settings.keys or key_file(settings.key_path, entropy)
        seal = KeyRing(keys, entropy)
        server_keys = ServerKeys(database, seal, ids, clock)
        tokens = DeviceTokens(server_keys, ids)
        if sealed := await tokens.seal_old(database):
            log.info("device_tokens_sealed", count=sealed)
        network = transport or Network(dice, guard)
        ports = Ports(database, network, clock, ids, dice, seal, tokens)
        host = Host(LocalCommands(os.environ), LocalFiles())
        ports = ports._replace(access=Resolvers(registry, ports, host, recipes))
        directory, safe = Directory(settings.defaults), Safe(seal, clock, make)
        registrar = Registrar(ports, directory, registry, safe)
        known = Known(clock)
        front = Front(settings.http, settings.shutdown / 2, listeners)
        tell = shared.set if shared is not None else lambda _: None

        def heartbeat() -> Heartbeat:
            own = (node, version("booper"), front.address)
            return Heartbeat(ports, settings.delivery, LocalProcesses(), tell, *own)

        hear = partial(Listener, ports, hints, known.forget, node) if hints is not None else None
        await heartbeat().begin()
        await _instances(ports, settings, registrar)
        watch: list[RunningTree] = []
        app = create_app(
            House(
                ports,
                registry,
                settings,
                registrar,
                snapshot=lambda: watch[0].snapshot() if watch else None,
                stopping=front.stopping,
                known=known,
                keys=server_keys,
                passwords=Argon2Passwords(),
                limiter=limiter,
                node=node,
            )
        )
        spec = tree(ports, settings, registry, registrar, front.worker(app), heartbeat, hear, node)
        async with trio.open_nursery() as nursery:
            watch.append(await nursery.start(_run, spec))
            hint(registry, names.HEARTBEAT, Wake())  # it can be told where we listen now
            task_status.started(Booper(ports, registry, registrar, watch[0], front.url))
        await database.write(partial(outbox.release_of, died=False), node)
        await database.write(nodes.leave, node, FORGOTTEN)


def settle() -> None:
    """For a process that runs one Booper, once it listens: what is there now is there to stay.

    The garbage collector passes it over from now on; a look at all of it stops everybody for a
    tenth of a second, whenever somebody's trouble has left garbage enough.
    """
    gc.collect()
    gc.freeze()


def _resolvable(
    make: Make, resolvers: Container[str], name: str, table: Mapping[str, object], now: float
) -> Codec:
    """A codec whose token resolver exists, if it names one; Misconfigured like `make`."""
    own = make(name, table, now)
    wanted = own.recipe if isinstance(own, Resolving) else None
    if isinstance(wanted, str) and wanted not in resolvers:
        raise Misconfigured(
            f"instances.{name}: there is no resolver {wanted!r}.", code="unknown_resolver"
        )
    return own


@asynccontextmanager
async def _limiter(settings: Settings, clock: Clock) -> AsyncIterator[Limiter]:
    """Counts of all nodes with Redis, else of this one."""
    if settings.redis:
        async with open_redis_limiter(settings.redis, clock) as shared:
            yield shared
    else:
        yield MemoryLimiter(clock)


async def _instances(ports: Ports, settings: Settings, registrar: Registrar) -> None:
    """This node knows the rows, and the rows know the settings file."""
    if renewed := await ports.database.write(registrar.safe.renew):
        log.info("secrets_sealed_anew", count=renewed)
    for wanted in await ports.database.read(instances.every):
        registrar.directory.put(wanted)
    await seed(registrar, settings.instances)
    registrar.directory.check_defaults()


async def _run(spec: SupervisorSpec, *, task_status: trio.TaskStatus[RunningTree]) -> None:
    try:
        await run_tree(
            spec, name=names.ROOT, reporter=report, redact=scrub, task_status=task_status
        )
    except StartFailed as failed:
        cause: BaseException | None = failed
        while cause is not None and not isinstance(cause, Misconfigured):
            cause = cause.__cause__
        raise cause or failed from None


def report(event: Report) -> None:
    """A supervisor's report as a log line; its texts are bounded and scrubbed."""
    log.warning(
        event.kind.value,
        supervisor=event.supervisor,
        child=event.child,
        failure=str(event.failure) if event.failure else "",
        trace=event.failure.trace if event.failure else (),
        restarts=event.restarts,
    )

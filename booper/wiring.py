"""Wiring: opens the adapters in order, builds the tree on them, runs it, closes them in reverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
import trio

from actors import Registry
from booper.api.app import create_app
from booper.api.front import Front
from booper.api.house import House
from booper.clock import SystemClock, SystemDice, UuidIds
from booper.domain.errors import Misconfigured
from booper.domain.redact import scrub
from booper.domain.routing import Routes
from booper.ports import Ports
from booper.providers import codec
from booper.store import outbox
from booper.store.sqlite import open_sqlite
from booper.transport import Http2Transport
from booper.tree import tree
from booper.workers import names
from supervisors import Report, RunningTree, StartFailed, SupervisorSpec, run_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.ports import Transport
    from booper.providers.provider import Codec
    from booper.settings import Settings

log = structlog.get_logger()


class Booper:
    """A running Booper: where it listens, how to look at it, how to stop it."""

    def __init__(self, ports: Ports, registry: Registry, tree: RunningTree, url: str) -> None:
        self.ports = ports
        self.registry = registry
        self.tree = tree
        self.url = url

    def stop(self) -> None:
        """Ask for an orderly end: the front first, then what it stands on. Returns at once."""
        self.tree.stop()


async def run(
    settings: Settings,
    *,
    codecs: Mapping[str, Codec] | None = None,
    transport: Transport | None = None,
    task_status: trio.TaskStatus[Booper] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run Booper until it is stopped; ready when it listens.

    Raises Misconfigured, with nothing left running, if a setting is wrong; whatever ended the
    tree otherwise. `codecs` (of the settings' instances) and `transport` may be handed in.
    """
    if codecs is None:
        codecs = {name: codec(name, table) for name, table in settings.instances.items()}
    kinds = {name: str(table["provider"]) for name, table in settings.instances.items()}
    routes = Routes(kinds, settings.defaults)
    registry, ids, dice = Registry(), UuidIds(), SystemDice()
    node = ids.mint()
    async with open_sqlite(settings.sqlite_path) as database:
        freed = await database.write(outbox.release_all)
        if freed:
            log.warning("leases_of_a_dead_process", batches=freed)
        ports = Ports(database, transport or Http2Transport(dice), SystemClock(), ids, dice)
        watch: list[RunningTree] = []
        front = Front(settings.http, settings.shutdown / 2)
        app = create_app(
            House(
                ports,
                registry,
                settings,
                routes,
                snapshot=lambda: watch[0].snapshot() if watch else None,
                stopping=front.stopping,
            )
        )
        spec = tree(ports, settings, registry, routes, codecs, front.worker(app), node)
        async with trio.open_nursery() as nursery:
            watch.append(await nursery.start(_run, spec))
            task_status.started(Booper(ports, registry, watch[0], front.url))
        await database.write(outbox.release_all)


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

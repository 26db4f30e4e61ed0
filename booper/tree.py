"""The whole supervision tree on one screen.

booper            rest_for_one: what stands later restarts with what it stands on
├─ node           one_for_one; starts first, stops last
│  ├─ heartbeat   signs of life; gives back what dead nodes held
│  └─ listener    what other nodes have changed (PostgreSQL only)
├─ resolvers      one_for_one, filled on demand: the access tokens, one actor per app
├─ instances      one_for_one, filled by the keeper
│  └─ <name>      a supervisor of one → instance/<name>: a restart budget of its own
├─ delivery       one_for_one
│  ├─ keeper      makes the running instances equal to the wanted ones
│  ├─ fanout      audience → batches
│  ├─ dispatcher  due batches → instances, under leases
│  ├─ receipts    what providers say later of what they accepted
│  └─ janitor     expired leases → due again; what is old → archived, deleted
└─ front          HTTP; starts last, stops first
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.workers import names
from booper.workers.desk import Desk
from booper.workers.dispatcher import Dispatcher
from booper.workers.fanout import Fanout
from booper.workers.instance import Instance
from booper.workers.janitor import Janitor
from booper.workers.keeper import Keeper
from booper.workers.receipt_poller import ReceiptPoller
from booper.workers.resolvers import MOST
from booper.workers.source import RowSource
from booper.workers.stage import Stage
from supervisors import (
    Backoff,
    ChildSpec,
    Intensity,
    Restart,
    Strategy,
    SupervisorRef,
    SupervisorSpec,
    supervisor_spec,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import Registry, Worker
    from booper.domain.wanted import Wanted
    from booper.ports import Ports
    from booper.settings import Settings
    from booper.workers.heartbeat import Heartbeat
    from booper.workers.listener import Listener
    from booper.workers.registrar import Registrar

# Some crashes in a row are survived; more are somebody else's to decide.
BUDGET = Intensity(5, 30.0)


def tree(
    ports: Ports,
    settings: Settings,
    registry: Registry,
    registrar: Registrar,
    front: Worker,
    heartbeat: Callable[[], Heartbeat],
    listener: Callable[[], Listener] | None,
    node: str,
) -> SupervisorSpec:
    """What runs under whom."""
    delivery, grace = settings.delivery, settings.shutdown
    directory, router = registrar.directory, registrar.router

    def instance(wanted: Wanted) -> ChildSpec:
        return instance_of_its_own(wanted, registrar, ports, settings, registry)

    beats = [ChildSpec.actor(names.HEARTBEAT, heartbeat, registry)]
    if listener is not None:
        beats.append(ChildSpec.actor(names.LISTENER, listener, registry))
    desk = Desk(ports, directory, delivery, node)
    stage = Stage(SupervisorRef(registry, names.INSTANCES), registry, instance, grace)

    return SupervisorSpec(
        strategy=Strategy.REST_FOR_ONE,
        intensity=BUDGET,
        children=[
            supervisor_spec(
                names.NODE,
                SupervisorSpec(intensity=BUDGET, backoff=Backoff(), children=beats),
            ),
            supervisor_spec(
                names.RESOLVERS,
                SupervisorSpec(
                    intensity=BUDGET, name=names.RESOLVERS, registry=registry, max_children=MOST
                ),
            ),
            supervisor_spec(
                names.INSTANCES,
                SupervisorSpec(intensity=BUDGET, name=names.INSTANCES, registry=registry),
            ),
            supervisor_spec(
                names.DELIVERY,
                SupervisorSpec(
                    intensity=BUDGET,
                    backoff=Backoff(),
                    children=[
                        ChildSpec.actor(
                            names.KEEPER,
                            lambda: Keeper(ports, directory, stage, delivery, node),
                            registry,
                        ),
                        ChildSpec.actor(
                            names.FANOUT,
                            lambda: Fanout(ports, router, desk, delivery),
                            registry,
                        ),
                        ChildSpec.actor(
                            names.DISPATCHER,
                            lambda: Dispatcher(ports, desk, delivery, node),
                            registry,
                        ),
                        ChildSpec.actor(
                            names.RECEIPTS, lambda: ReceiptPoller(ports, delivery), registry
                        ),
                        ChildSpec.actor(
                            names.JANITOR, lambda: Janitor(ports, router, settings), registry
                        ),
                    ],
                ),
            ),
            ChildSpec(names.FRONT, front, shutdown=grace),
        ],
    )


def instance_of_its_own(
    wanted: Wanted,
    registrar: Registrar,
    ports: Ports,
    settings: Settings,
    registry: Registry,
) -> ChildSpec:
    """A supervisor of one: when it gives up it is forgotten, and the keeper decides what next.

    Each incarnation asks anew what it should be; one that was stopped politely stays so.
    """
    source = RowSource(wanted, registrar, registry)
    worker = ChildSpec.actor(
        names.instance(wanted.key),
        lambda: Instance(source, ports, settings.delivery),
        registry,
        restart=Restart.TRANSIENT,
        shutdown=settings.shutdown,
        terminate_timeout=settings.shutdown,
    )
    budget = SupervisorSpec(intensity=BUDGET, backoff=Backoff(), children=[worker])
    return supervisor_spec(wanted.key, budget, restart=Restart.TEMPORARY)

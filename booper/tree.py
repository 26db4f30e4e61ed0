"""The whole supervision tree on one screen.

booper            rest_for_one: what stands later restarts with what it stands on
├─ instances      one_for_one, filled by the keeper
│  └─ <name>      a supervisor of one → instance/<name>: a restart budget of its own
├─ delivery       one_for_one
│  ├─ keeper      makes the running instances equal to the wanted ones
│  ├─ fanout      audience → batches
│  ├─ dispatcher  due batches → instances, under leases
│  └─ janitor     expired leases → due again
└─ front          HTTP; starts last, stops first
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from booper.workers import names
from booper.workers.dispatcher import Dispatcher
from booper.workers.fanout import Fanout
from booper.workers.instance import Instance
from booper.workers.janitor import Janitor
from booper.workers.keeper import Keeper
from supervisors import (
    AlreadyPresent,
    AlreadyStarted,
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
    from collections.abc import Mapping

    from actors import Registry, Worker
    from booper.domain.routing import Routes
    from booper.ports import Ports
    from booper.providers.provider import Codec
    from booper.settings import Settings

# Some crashes in a row are survived; more are somebody else's to decide.
BUDGET = Intensity(5, 30.0)


def tree(
    ports: Ports,
    settings: Settings,
    registry: Registry,
    routes: Routes,
    codecs: Mapping[str, Codec],
    front: Worker,
    node: str,
) -> SupervisorSpec:
    """What runs under whom."""
    delivery, grace = settings.delivery, settings.shutdown
    instances = SupervisorRef(registry, names.INSTANCES)

    async def missing() -> list[str]:
        running = {child.id for child in await instances.which_children() if child.age is not None}
        return [name for name in codecs if name not in running]

    async def start(name: str) -> None:
        spec = instance_of_its_own(name, codecs[name], routes, ports, settings, registry)
        with suppress(AlreadyStarted, AlreadyPresent):  # its supervisor is busy with it
            await instances.start_child(spec)

    return SupervisorSpec(
        strategy=Strategy.REST_FOR_ONE,
        intensity=BUDGET,
        children=[
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
                            names.KEEPER, lambda: Keeper(ports, delivery, missing, start), registry
                        ),
                        ChildSpec.actor(
                            names.FANOUT, lambda: Fanout(ports, routes, delivery), registry
                        ),
                        ChildSpec.actor(
                            names.DISPATCHER,
                            lambda: Dispatcher(ports, list(codecs), delivery, node),
                            registry,
                        ),
                        ChildSpec.actor(names.JANITOR, lambda: Janitor(ports, delivery), registry),
                    ],
                ),
            ),
            ChildSpec(names.FRONT, front, shutdown=grace),
        ],
    )


def instance_of_its_own(
    name: str,
    codec: Codec,
    routes: Routes,
    ports: Ports,
    settings: Settings,
    registry: Registry,
) -> ChildSpec:
    """A supervisor of one: when it gives up it is forgotten, and the keeper decides what next."""
    kind = routes.instances[name]
    worker = ChildSpec.actor(
        names.instance(name),
        lambda: Instance(name, kind, codec, ports, settings.delivery),
        registry,
        shutdown=settings.shutdown,
        terminate_timeout=settings.shutdown,
    )
    budget = SupervisorSpec(intensity=BUDGET, backoff=Backoff(), children=[worker])
    return supervisor_spec(name, budget, restart=Restart.TEMPORARY)

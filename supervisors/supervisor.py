"""A supervisor: a worker whose work is its children.

It starts them in order, keeps them alive (`mender.py`), takes orders about them (`front.py`,
`orders.py`) and stops them in reverse order. It must run in a tree: see `run_tree`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import trio

from actors import Ref, actor_worker
from supervisors.child_spec import ChildSpec, Shutdown
from supervisors.errors import StartFailed, StartTimeout
from supervisors.family import Family
from supervisors.front import Front
from supervisors.mender import Mender
from supervisors.orders import Orders
from supervisors.place import here
from supervisors.restart import Restart
from supervisors.snapshot import State
from supervisors.supervisor_spec import SupervisorSpec, check_children

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import StartedCallback, Worker
    from supervisors.life import Life
    from supervisors.supervisor_spec import ReadChildren

EMPLOY_TIMEOUT = 30.0
EMPLOYED_SHUTDOWN = 1.0


class Supervisor:
    """One incarnation of a supervisor. `serve` is its worker, and may be called once.

    It ends normally when it is asked to, with Escalated when there were too many restarts, with
    StartFailed when a child did not start, and with SystemExit or KeyboardInterrupt when a child
    raised that. In each case, and when it is cancelled, all children are stopped first, within
    their shutdown times.
    """

    def __init__(self, spec: SupervisorSpec) -> None:
        self.spec = spec
        self.begun = trio.Event()
        self._employed: list[Life] = []

    @trio.lowlevel.enable_ki_protection
    async def serve(self, *, task_status: StartedCallback) -> None:
        """Start the children, be ready, and supervise until the end."""
        place = here.get(None)
        if place is None:
            raise RuntimeError("a supervisor runs in a tree: start it with run_tree")
        family = Family(self.spec, place.tree, place.path)
        place.host.subtree = family
        try:
            async with trio.open_nursery() as family.tasks:
                await self._begin(family)
                task_status.started(family.end)
                self.begun.set()
                await family.finish.wait()
                family.tasks.cancel_scope.cancel()
        except BaseException:
            await self._stop(family)
            if family.ending is None:
                raise
        else:
            await self._stop(family)
        if family.ending is not None:
            raise family.ending

    async def _begin(self, family: Family) -> None:
        Mender(family)
        await self._open_front(family)
        children = self.spec.children
        dynamic = callable(children)
        specs = check_children(
            await self._read(family, children) if callable(children) else children
        )
        for spec in specs:
            family.adopt(spec, dynamic=dynamic)
        async with family.lane.lock:
            for child in list(family.children.values()):
                await family.start(child)
                if child.state is State.IGNORED and (
                    dynamic or child.spec.restart is Restart.TEMPORARY
                ):
                    family.forget(child)

    async def _open_front(self, family: Family) -> None:
        name, registry = self.spec.name, self.spec.registry
        if name is not None and registry is not None:
            orders = Orders(family)
            worker = actor_worker(lambda: Front(family, orders, self.begun), registry, name)
            await self._employ(family, "front", worker, partial(_front_over, family))

    async def _read(self, family: Family, children: ReadChildren) -> tuple[ChildSpec, ...]:
        """Ask for the children. Foreign code, so it is a life of its own, like a child."""
        found: list[tuple[ChildSpec, ...]] = []

        async def read(*, task_status: StartedCallback) -> None:
            found.append(check_children(await children(), self.spec.max_children))
            task_status.started(None)

        await self._employ(family, "children", read, _nothing)
        return found[0]

    async def _employ(
        self, family: Family, name: str, worker: Worker, on_end: Callable[[Life], None]
    ) -> None:
        """Start something of our own, that is no child."""
        life = family.give_life(name, worker, _nothing, on_end)
        life.keeps_error = True
        self._employed.append(life)
        with trio.move_on_after(EMPLOY_TIMEOUT):
            await life.settled.wait()
        if life.born is None:
            error = life.error or StartTimeout(f"not ready within {EMPLOY_TIMEOUT} s")
            raise StartFailed(family.path, name, type(error).__name__) from error

    async def _stop(self, family: Family) -> None:
        """Children first, so that questions are answered to the last; then the name is free."""
        await family.halt_all()
        with trio.CancelScope(shield=True):
            for life in reversed(self._employed):
                life.ask(EMPLOYED_SHUTDOWN, self.spec.grace)
                await life.wait_over()


def _front_over(family: Family, life: Life) -> None:
    # Who stops the front, as one may stop any actor, has stopped the supervisor.
    if life.born is not None and not life.asked:
        family.end(life.error)


def _nothing(_: Life) -> None:
    pass


def supervisor_spec(
    id: str,  # noqa: A002  (OTP's word, and the field's)
    spec: SupervisorSpec,
    *,
    restart: Restart = Restart.PERMANENT,
    shutdown: float | Shutdown = Shutdown.INFINITY,
) -> ChildSpec:
    """A supervisor as a child of another. It is waited for: its own stop is bounded already."""

    async def worker(*, task_status: StartedCallback) -> None:
        await Supervisor(spec).serve(task_status=task_status)

    probe = Ref(spec.registry, spec.name).statistics if spec.registry and spec.name else None
    return ChildSpec(
        id, worker, restart=restart, shutdown=shutdown, kind="supervisor",
        start_timeout=Shutdown.INFINITY, probe=probe,
    )  # fmt: skip

"""The actor that takes a supervisor's orders: answers questions at once, hands on the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from actors import LATER, Actor
from supervisors.errors import ShuttingDown, SupervisorError
from supervisors.messages import (
    CountChildren,
    DeleteChild,
    KillChild,
    RemoveChild,
    ReplaceSpec,
    RestartChild,
    StartChild,
    TakeSnapshot,
    TerminateChild,
    WhichChildren,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors import Call, Reply
    from supervisors.family import Family
    from supervisors.orders import Orders
    from supervisors.snapshot import Snapshot


class Front(Actor):
    """Serves as long as its supervisor does, also while that one starts and stops.

    An order that changes something runs as a task of the supervisor, not of this actor: so the
    child it starts is the supervisor's, and no order waits for another child's slow end.
    `begun` is set when the supervisor's own children have started; orders wait for it.
    """

    def __init__(self, family: Family, orders: Orders, begun: trio.Event) -> None:
        self.family = family
        self.orders = orders
        self.begun = begun

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        orders = self.orders
        match message:
            case WhichChildren():
                return orders.which_children()
            case CountChildren():
                return orders.count_children()
            case TakeSnapshot():
                return self.family.snapshot()
            case StartChild(spec):
                return self._later(reply, lambda: orders.start_child(spec))
            case TerminateChild(name):
                return self._later(reply, lambda: orders.terminate_child(name))
            case RestartChild(name):
                return self._later(reply, lambda: orders.restart_child(name))
            case RemoveChild(name):
                return self._later(reply, lambda: orders.remove_child(name))
            case DeleteChild(name):
                return self._now(reply, lambda: orders.delete_child(name))
            case ReplaceSpec(spec):
                return self._now(reply, lambda: orders.replace_spec(spec))
            case KillChild(name):
                return self._now(reply, lambda: orders.kill_child(name))
            case _:
                return await super().handle_call(message, reply)

    def _now(self, reply: Reply[Any], order: Callable[[], Snapshot]) -> Any:
        try:
            self.family.refuse_if_stopping()
            return order()
        except SupervisorError as error:
            reply.fail(error)
            return LATER

    def _later(self, reply: Reply[Any], order: Callable[[], Awaitable[Snapshot]]) -> Any:
        try:
            self.family.refuse_if_stopping()
        except SupervisorError as error:
            reply.fail(error)
        else:
            self.family.spawn(self._obey, reply, order)
        return LATER

    async def _obey(self, reply: Reply[Any], order: Callable[[], Awaitable[Snapshot]]) -> None:
        try:
            await self.begun.wait()
            reply.send(await order())
        except SupervisorError as error:
            reply.fail(error)
        except trio.Cancelled:
            reply.fail(ShuttingDown(self.family.path))
            raise

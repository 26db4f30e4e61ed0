"""One life of one actor, as a worker that any supervisor (or a plain nursery) can start."""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import trio

from .actor import Actor, log
from .deadlock import resident, turn
from .errors import Ignore, StartTimeout
from .messages import CRASH, KILLED, LATER, NORMAL, Down
from .ref import Ref

if TYPE_CHECKING:
    from .mailbox import Mailbox
    from .registry import Registry

Stop: TypeAlias = Callable[[], None]
"""Asks a running worker for a polite end, and returns at once. Safe to repeat."""

StartedCallback: TypeAlias = "trio.TaskStatus[Stop | None]"
"""What a worker reports to, with `started(stop)`, once, when it is ready."""

TURN = 16
"""Messages served between two checkpoints: few enough to be fair, enough to make a cast cheap."""


class Worker(Protocol):
    """Anything a supervisor can run: any async function of this shape, an actor or not.

    It calls `task_status.started(stop)` once, when it is ready; `stop` is None if it knows no
    polite end. Returning is a normal end, raising a crash, being cancelled a kill. Raising Ignore
    before `started` means: do not start me.
    """

    def __call__(self, *, task_status: StartedCallback) -> Awaitable[None]:
        """Live one life."""


def actor_worker(
    factory: Callable[[], Actor],
    registry: Registry,
    name: str,
    *,
    mailbox_limit: int = 1000,
    init_timeout: float = 5.0,
    terminate_timeout: float = 5.0,
    kill_timeout: float = 0.5,
) -> Worker:
    """A worker whose every run is a new incarnation: a new actor of `factory`, a new mailbox.

    A run raises AlreadyRegistered, StartTimeout, Ignore, or whatever the factory, a callback or a
    task of the actor raised (out of its exception group where it is alone); in each case the name
    is free and every caller has been told before it raises. `terminate` may take
    `terminate_timeout` seconds, but no more than `kill_timeout` from the moment the worker is
    cancelled: a kill is a request, and code that neither ends nor waits cannot be killed at all.

    The actor runs in an empty context: it never carries context variables of who started it.
    """

    async def worker(*, task_status: StartedCallback) -> None:
        mailbox = registry.claim(name, mailbox_limit)
        life = Incarnation(
            factory, registry, mailbox, task_status, init_timeout, terminate_timeout, kill_timeout
        )
        await life.run()

    return worker


@dataclass(slots=True)
class Incarnation:
    """From the taking of the name to its release, and past it to the last word."""

    factory: Callable[[], Actor]
    registry: Registry
    mailbox: Mailbox
    task_status: StartedCallback
    init_timeout: float
    terminate_timeout: float
    kill_timeout: float

    async def run(self) -> None:
        """Live. Callers are told when the actor falls, monitors when it is gone altogether."""
        reason = NORMAL
        cause: BaseException | None = None
        try:
            async with trio.open_nursery() as shell:
                # Else the actor would carry its starter's context for ever.
                contextvars.Context().run(shell.start_soon, self._live, shell)
        except BaseException as error:
            cause = alone(error)
            reason = reason_of(cause)
            if cause is error or isinstance(cause, trio.Cancelled):
                cause = None
                raise
        finally:
            self._fall(reason)
            self.mailbox.tell(Down(self.mailbox.name, reason))
        if cause is not None:
            try:
                raise cause
            finally:
                del cause  # or it and this frame would keep each other alive

    async def _live(self, shell: trio.Nursery) -> None:
        mailbox = self.mailbox
        mailbox.task = trio.lowlevel.current_task()
        resident.set(mailbox)
        actor = self.factory()
        async with trio.open_nursery() as nursery:
            mailbox.nursery = actor.nursery = nursery
            actor.mailbox = mailbox
            actor.name = mailbox.name
            actor.registry = self.registry
            actor.ref = Ref(self.registry, mailbox.name)
            with trio.move_on_after(self.init_timeout) as scope:
                await actor.init()
            if scope.cancelled_caught:
                raise StartTimeout(mailbox.name, self.init_timeout)
            self.task_status.started(mailbox.shut)
            try:
                await actor.handle_continue()
                await serve(actor, mailbox)
            except BaseException as error:
                task_crashed = nursery.cancel_scope.cancel_called
                reason = CRASH if task_crashed else reason_of(alone(error))
                self._fall(reason)
                await self._terminate(actor, reason, shell)
                raise
            await self._terminate(actor, NORMAL, shell)

    async def _terminate(self, actor: Actor, reason: str, shell: trio.Nursery) -> None:
        """Shielded, so that cleaning up can wait; with a deadline, so that it cannot hang."""
        self.mailbox.deafen()
        self._stop_chores()
        watch = trio.CancelScope()
        with trio.CancelScope(
            shield=True, deadline=trio.current_time() + self.terminate_timeout
        ) as scope:
            shell.start_soon(self._hasten, scope, watch)
            await actor.terminate(reason)
        watch.cancel()
        self._stop_chores()
        if scope.cancelled_caught:
            log.warning("%s did not terminate in time", self.mailbox.name)

    async def _hasten(self, scope: trio.CancelScope, watch: trio.CancelScope) -> None:
        with watch:
            try:
                await trio.sleep_forever()
            finally:
                latest = trio.current_time() + self.kill_timeout
                scope.deadline = min(scope.deadline, latest)

    def _fall(self, reason: str) -> None:
        # The name first: who is told and asks again finds the successor or nobody, never us.
        self.registry.free(self.mailbox)
        self.mailbox.close(reason)

    def _stop_chores(self) -> None:
        for chore in list(self.mailbox.chores):
            chore.cancel()


async def serve(actor: Actor, mailbox: Mailbox) -> None:
    """Hand the messages to the actor one by one, until the mailbox is shut and empty."""
    queue = mailbox.queue
    in_call = False
    left = TURN
    while True:
        if not queue or left == 0:
            left = TURN
            if not await mailbox.wait():
                return
            continue
        left -= 1
        mailbox.served += 1
        message, reply = queue.popleft()
        if reply is None:
            if in_call:
                turn.set(None)
                in_call = False
            await actor.handle_cast(message)
        else:
            mailbox.current = reply
            turn.set(reply)
            in_call = True
            answer = await actor.handle_call(message, reply)
            mailbox.current = None
            if answer is LATER:
                mailbox.defer(reply)
            else:
                reply.send(answer)


def alone(error: BaseException) -> BaseException:
    """The one exception at the bottom of nested groups, or the group if there are several.

    Cancellations beside a real exception are left out: a crash while being cancelled is a crash.
    """
    if isinstance(error, BaseExceptionGroup):
        _, rest = error.split(trio.Cancelled)
        error = rest or error
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def reason_of(error: BaseException) -> str:
    """How an actor that `error` ended is said to have ended."""
    if isinstance(error, BaseExceptionGroup) and error.split(trio.Cancelled)[1] is None:
        return KILLED
    if isinstance(error, trio.Cancelled):
        return KILLED
    if isinstance(error, Ignore):
        return NORMAL
    return f"{CRASH} {type(error).__name__}"

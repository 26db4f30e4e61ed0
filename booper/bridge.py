"""Bridge: asyncio libraries (asyncpg, redis-py) awaited from trio, in the same thread.

No second thread, which a busy trio would starve of the interpreter lock, and no private names:
trio waits on the descriptor of the asyncio loop's own selector. When that is readable, a timer is
due or a call has come in, the loop takes a few turns, none of which waits. A Booper that opens no
bridge pays nothing. Linux only (epoll). The only module of the product that knows asyncio.
"""

from __future__ import annotations

import asyncio
import selectors
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import outcome
import trio
from trio.lowlevel import Abort, current_task, reschedule, wait_task_rescheduled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

T = TypeVar("T")
TURNS = 8  # asyncio's turns before trio's other tasks get theirs
GRACE = 5.0  # seconds that what still runs in asyncio gets to end when the bridge closes


class _Selector(selectors.EpollSelector):
    """Polls once in each run of the loop, where something may have happened, and ends the run when
    the loop would sleep or has taken its turns. `pause` is how long it would have slept."""

    loop: asyncio.AbstractEventLoop
    pause: float | None = None
    happened = False
    turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        happened, self.happened = self.happened, False
        events = super().select(0) if happened else []
        idle = not events and timeout != 0
        self.turns += 1
        if idle or self.turns >= TURNS:
            self.pause, self.turns = timeout if idle else 0.0, 0
            self.loop.stop()
        return events


class Bridge:
    """An asyncio loop that lives inside trio's. `open_bridge` makes one."""

    def __init__(self) -> None:
        self._selector = _Selector()
        self._loop = self._selector.loop = asyncio.SelectorEventLoop(self._selector)
        self._parked: trio.lowlevel.Task | None = None
        self._timer = trio.CancelScope()
        self._life = trio.CancelScope(shield=True)

    async def call(self, work: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        """What `work(*args)`, run by asyncio, returns or raises.

        A cancellation here cancels it there and waits for its end, so nothing is left half done;
        if it had finished by then, its value is returned. Raises trio.ClosedResourceError once
        the bridge is closed.
        """
        if self._loop.is_closed():
            raise _closed()
        await trio.lowlevel.checkpoint_if_cancelled()
        task = current_task()
        inner = self._loop.create_task(work(*args))
        cancelled: Callable[[], NoReturn] | None = None

        def done(inner: asyncio.Task[T]) -> None:
            result: outcome.Outcome[T]
            if not inner.cancelled():
                error = inner.exception()
                result = outcome.Value(inner.result()) if error is None else outcome.Error(error)
            elif cancelled is not None:
                result = outcome.capture(cancelled)
            else:
                result = outcome.Error(_closed())
            reschedule(task, result)

        def abort(raise_cancel: Callable[[], NoReturn]) -> Abort:
            nonlocal cancelled
            cancelled = raise_cancel
            inner.cancel()
            self._poke()
            return Abort.FAILED

        inner.add_done_callback(done)
        self._poke()
        value: T = await wait_task_rescheduled(abort)
        return value

    async def run(self) -> None:
        """Turn the loop until `close`; to be started before the first call."""
        with self._life:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._on_events)
                nursery.start_soon(self._on_calls)

    async def close(self) -> None:
        """Cancel what still runs in asyncio, wait for it, and end."""
        with trio.move_on_after(GRACE, shield=True):
            while tasks := asyncio.all_tasks(self._loop):
                for task in tasks:
                    task.cancel()
                self._poke()
                await trio.sleep(0.001)
            await self.call(self._loop.shutdown_asyncgens)
        self._life.cancel()

    def discard(self) -> None:
        """Free the loop's descriptors; after `run` has ended."""
        self._loop.close()

    def _poke(self) -> None:
        if self._parked is not None:
            task, self._parked = self._parked, None
            reschedule(task)

    @trio.lowlevel.enable_ki_protection
    async def _turn(self) -> None:
        """Let asyncio work until it has nothing to do; then see to it that it is not left alone
        for longer than it would have slept."""
        while True:
            self._loop.run_forever()  # the selector stops it
            pause = self._selector.pause
            if pause is None:
                return
            if pause:
                until = trio.current_time() + pause
                # One that comes too early finds nothing to do, which is cheaper than to move it.
                self._timer.deadline = min(self._timer.deadline, until)
                return
            await trio.lowlevel.checkpoint()
            self._selector.happened = True

    async def _on_events(self) -> None:
        while True:
            with self._timer:
                while True:
                    await trio.lowlevel.wait_readable(self._selector.fileno())
                    self._selector.happened = True
                    await self._turn()
            self._timer = trio.CancelScope()
            self._selector.happened = True
            await self._turn()

    async def _on_calls(self) -> None:
        while True:
            await self._turn()
            self._parked = current_task()
            await wait_task_rescheduled(self._unpark)

    def _unpark(self, _: object) -> Abort:
        self._parked = None
        return Abort.SUCCEEDED


@asynccontextmanager
async def open_bridge() -> AsyncIterator[Bridge]:
    """A bridge at work; leaving the block cancels what still runs in asyncio."""
    bridge = Bridge()
    try:
        with ungrouped():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(bridge.run)
                try:
                    yield bridge
                finally:
                    await bridge.close()
    finally:
        bridge.discard()


@contextmanager
def ungrouped() -> Iterator[None]:
    """Around a nursery that only keeps something running: a lone error leaves as itself."""
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from group.exceptions[0].__cause__
        raise


def _closed() -> trio.ClosedResourceError:
    return trio.ClosedResourceError("the asyncio bridge is closed")

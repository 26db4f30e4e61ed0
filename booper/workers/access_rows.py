"""The rows of one resolver: changed one by one, in the order that was asked, by a task of its own.

So an older token never lands over a newer one, and no handler waits for the store.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import structlog

from booper.domain.errors import Unavailable
from booper.store import access as rows

if TYPE_CHECKING:
    import trio

    from booper.domain.access import AccessToken
    from booper.domain.secret import Secret
    from booper.ports import Ports, Tx
    from booper.providers.recipes import Recipe

log = structlog.get_logger()

LIMIT = 100  # changes waiting

Done = Callable[[bool | Unavailable], None]


class AccessRows:
    """Each change returns at once. `done` gets whether a row changed, or why it could not."""

    def __init__(self, recipe: Recipe, ports: Ports, nursery: trio.Nursery) -> None:
        self._label = recipe.key
        self._whose = rows.Whose(recipe.tenant, recipe.name)
        self._ports = ports
        self._nursery = nursery
        self._changes: deque[tuple[Callable[[Tx], Awaitable[bool]], Done]] = deque()

    @property
    def busy(self) -> bool:
        """Whether a change is not made yet."""
        return bool(self._changes)

    def keep(self, access: AccessToken, stored: Callable[[], None]) -> None:
        """Store a copy and say so. That it fails is logged: it costs a search after a restart."""
        whose, seal, now = self._whose, self._ports.seal, self._ports.clock.wall()

        def done(result: bool | Unavailable) -> None:  # noqa: FBT001 - what a change came to
            self._noted(result)
            if not isinstance(result, Unavailable):
                stored()

        self._queue(lambda tx: rows.save(tx, seal, whose, rows.CACHED, access, now), done)

    def forget(self, rejected: Secret | None) -> None:
        """Delete the copy if it is `rejected`; with None any copy from before now."""
        whose, seal = self._whose, self._ports.seal
        before = self._ports.clock.wall() if rejected is None else float("inf")
        self._queue(
            lambda tx: rows.drop(tx, seal, whose, rows.CACHED, text=rejected, before=before),
            self._noted,
        )

    def override(self, access: AccessToken | None, done: Done) -> None:
        """Store the operator's own token, or with None delete it."""
        whose, seal, now = self._whose, self._ports.seal, self._ports.clock.wall()
        if access is None:
            self._queue(lambda tx: rows.drop(tx, seal, whose, rows.MANUAL), done)
        else:
            self._queue(lambda tx: rows.save(tx, seal, whose, rows.MANUAL, access, now), done)

    def _queue(self, change: Callable[[Tx], Awaitable[bool]], done: Done) -> None:
        if len(self._changes) >= LIMIT:
            done(Unavailable("The store does not keep up.", code="busy"))
            return
        self._changes.append((change, done))
        if len(self._changes) == 1:
            self._nursery.start_soon(self._work)

    async def _work(self) -> None:
        while self._changes:
            change, done = self._changes[0]
            result: Any
            try:
                result = await self._ports.database.write(change)
            except Unavailable as error:
                result = error
            self._changes.popleft()
            done(result)

    def _noted(self, result: bool | Unavailable) -> None:  # noqa: FBT001 - what `done` gets
        if isinstance(result, Unavailable):
            log.error("access_not_stored", resolver=self._label, why=result.code)

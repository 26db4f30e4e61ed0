"""Listener: hears what other nodes have changed, and tells whoever on this node has to know.

Nobody depends on it: everybody looks by himself, only more slowly. Whenever it begins to hear,
also after an outage, everything is looked at once, since nobody knows what was said meanwhile.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
import trio

from actors import Actor, Cast
from booper.domain.errors import Unavailable
from booper.domain.hint import Hint, Kind
from booper.workers import names
from booper.workers.access import Look
from booper.workers.messages import Changed, Missed, Spread, Wake, hint

if TYPE_CHECKING:
    from collections.abc import Callable

    from booper.ports import Ports, Tx
    from booper.ports.hints import Ear, Hints

log = structlog.get_logger()

SOONEST = 0.2  # seconds from a lost connection to the next try; doubles up to LONGEST
LONGEST = 5.0
BREATH = 0.1  # seconds between two words of ours about work
DEAF = 5.0  # seconds in which our own word must have come back


class Listener(Actor):
    """Takes Spread."""

    def __init__(
        self, ports: Ports, hints: Hints, forget: Callable[[str | None], None], node: str
    ) -> None:
        """`forget`: called with the name of a credential that is good no more; None: with any."""
        self._ports = ports
        self._hints = hints
        self._forget = forget
        self._node = node
        self._work = trio.Event()
        self._answer = trio.Event()
        self._life = trio.CancelScope()
        self._away = False

    async def init(self) -> None:
        self.nursery.start_soon(self._stay)

    async def handle_cast(self, message: Cast) -> None:
        match message:
            case Spread():
                self._work.set()
            case _:
                await super().handle_cast(message)

    async def terminate(self, reason: str) -> None:  # noqa: ARG002 - the end is the same
        self._life.cancel()

    async def _stay(self) -> None:
        """Listen again and again, with a pause that grows as long as it does not work."""
        pause = SOONEST
        with self._life:
            while True:
                begun = self._ports.clock.monotonic()
                try:
                    await self._listen()
                except Unavailable as error:
                    if not self._away:
                        log.warning("hints_lost", detail=error.detail)
                    self._away = True
                if self._ports.clock.monotonic() - begun > LONGEST:
                    pause = SOONEST
                await trio.sleep(pause * (1 + self._ports.dice.random()) / 2)
                pause = min(pause * 2, LONGEST)

    async def _listen(self) -> None:
        """Until the connection is lost. Raises Unavailable."""
        async with self._hints.listen() as ear:
            if self._away:
                log.info("hints_again")
            self._away = False
            self._everything()
            lost: Unavailable | None = None
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._check)
                nursery.start_soon(self._spread, ear)
                try:
                    while True:
                        for one in await ear.heard():
                            self._take(one)
                except Unavailable as error:
                    lost = error
                nursery.cancel_scope.cancel()
            if lost is not None:
                raise lost

    async def _check(self) -> None:
        """Say a word through the store, and see that it is heard here."""
        self._answer = trio.Event()

        async def say(tx: Tx) -> None:
            await tx.tell(Hint(Kind.CHECK, self._node))

        try:
            await self._ports.database.write(say)
        except Unavailable:
            return  # the store's own trouble, and told as such
        with trio.move_on_after(DEAF) as scope:
            await self._answer.wait()
        if scope.cancelled_caught:
            log.error(
                "hints_not_heard",
                detail="LISTEN does not work on this connection (pgbouncer in transaction mode?):"
                " set postgresql.listen_url to the server itself. Until then nodes follow each"
                " other more slowly.",
            )

    async def _spread(self, ear: Ear) -> None:
        """Tell others of work, a few times a second at most."""
        while True:
            await self._work.wait()
            self._work = trio.Event()
            with suppress(Unavailable):  # if the connection is lost, whoever hears notices
                await ear.tell(Hint(Kind.WORK, self._node))
            await trio.sleep(BREATH)

    def _take(self, one: Hint) -> None:
        """Tell whoever on this node has to know."""
        match one.kind:
            case Kind.INSTANCE:
                hint(self.registry, names.KEEPER, Changed(one.name))
            case Kind.CALLER:
                self._forget(one.name)
            case Kind.OVERRIDE:
                hint(self.registry, names.resolver(one.name), Look(told=True))
            case Kind.WORK if one.name != self._node:
                self._wake()
            case Kind.CHECK if one.name == self._node:
                self._answer.set()
            case Kind.ALL:
                self._everything()

    def _everything(self) -> None:
        """Nobody knows what has changed: everybody looks."""
        self._forget(None)
        hint(self.registry, names.KEEPER, Missed())
        for name in self.registry.names():
            if name.startswith(names.RESOLVER):
                hint(self.registry, name, Look(told=True))
        self._wake()

    def _wake(self) -> None:
        hint(self.registry, names.FANOUT, Wake())
        hint(self.registry, names.DISPATCHER, Wake())

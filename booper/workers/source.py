"""Source: what a running instance is told of its row, and whom it tells what it found out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import trio

from booper.domain.errors import Unavailable
from booper.workers import names
from booper.workers.messages import Adopted, hint

if TYPE_CHECKING:
    from actors import Registry
    from booper.domain.protection import Protection
    from booper.domain.wanted import Wanted
    from booper.providers.provider import Codec
    from booper.workers.registrar import Registrar

LONGEST = 5.0  # seconds between two tries to write a report


class Source(Protocol):
    """Where an instance learns what it should be, and reports what it found."""

    def wanted(self) -> Wanted:
        """The row, as far as is known; never waits."""
        ...

    async def codec(self, number: int) -> tuple[Codec, Protection]:
        """The codec of one generation and its caps; Unavailable, Misconfigured or NotFound."""
        ...

    async def proved(self, number: int) -> None:
        """Generation `number` was accepted by the provider. Written down when this returns."""
        ...

    async def refused(self, number: int, words: str) -> None:
        """Generation `number` was refused, or could not be connected. As above."""
        ...

    def adopted(self, wanted: Wanted) -> None:
        """This row is how this instance runs now."""
        ...


class RowSource:
    """The Source of one instance, on its row."""

    def __init__(self, wanted: Wanted, registrar: Registrar, registry: Registry) -> None:
        self._first = wanted
        self._registrar = registrar
        self._registry = registry

    def wanted(self) -> Wanted:
        return self._registrar.directory.get(self._first.key) or self._first

    async def codec(self, number: int) -> tuple[Codec, Protection]:
        return await self._registrar.codec(self._first.key, number)

    async def proved(self, number: int) -> None:
        await self._report(number, None)

    async def refused(self, number: int, words: str) -> None:
        await self._report(number, words)

    def adopted(self, wanted: Wanted) -> None:
        hint(self._registry, names.KEEPER, Adopted(wanted))

    async def _report(self, number: int, words: str | None) -> None:
        """An outage of the store is waited out, as long as the instance lives."""
        pause = 0.1
        while True:
            try:
                return await self._registrar.report(self._first.key, number, words)
            except Unavailable:
                await trio.sleep(pause)
                pause = min(pause * 2, LONGEST)

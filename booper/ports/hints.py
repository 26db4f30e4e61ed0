"""The port of hints: what the nodes that share a database tell each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from booper.domain.hint import Hint


class Ear(Protocol):
    """One connection that hears. What is told in a transaction is heard once it has committed."""

    async def heard(self) -> Sequence[Hint]:
        """What came since the last time, each once, in order; waits until there is something.

        Raises Unavailable when the connection is lost: whatever was told meanwhile is not heard.
        """
        ...

    async def tell(self, hint: Hint) -> None:
        """Tell everybody, this node too, at once and beside every transaction. Unavailable."""
        ...


class Hints(Protocol):
    """Where to listen."""

    def listen(self) -> AbstractAsyncContextManager[Ear]:
        """Hear what is told from now on. Raises Unavailable when that cannot be."""
        ...

"""The ports of the token resolvers: what they lend from this machine, and what they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.domain.access import Resolution, ResolverStanding
    from booper.domain.secret import Secret
    from booper.providers.recipes import Recipe


class Ran(NamedTuple):
    """How a command ended: its exit status (None: stopped by us) and what it printed to stdout.

    `why` says what kept it from ending by itself, or from starting; "" if nothing did.
    """

    status: int | None
    output: bytes
    why: str = ""


class Commands(Protocol):
    """Other programs on this machine."""

    async def run(
        self, argv: Sequence[str], *, timeout: float, limit: int, extra: Mapping[str, str]
    ) -> Ran:
        """Run a program without a shell and without input; never raises for what it does.

        After `timeout` seconds, beyond `limit` bytes of output, or when the caller is cancelled,
        it and everything it started is killed. `extra` is added to an environment from which
        Booper's own settings were taken. What it writes to stderr is dropped.
        """
        ...


class Files(Protocol):
    """Files of other programs."""

    async def read(self, path: str, *, limit: int) -> bytes | None:
        """The content of a regular file, a leading `~` being the home; None if there is none, it
        cannot be read, or it is longer than `limit`."""
        ...


class Host(NamedTuple):
    """What this machine lends to the token resolvers."""

    commands: Commands
    files: Files


class AccessTokens(Protocol):
    """Where access tokens come from that are not signed on the spot: the token resolvers."""

    def named(self, name: str) -> Recipe:
        """The operator's recipe of that name, or NotFound."""
        ...

    async def acquire(self, recipe: Recipe) -> Resolution:
        """An access token and where it came from, or why there is none. Never raises.

        Any number of callers cost one search; none waits longer than the sources may take.
        """
        ...

    async def refresh(self, recipe: Recipe, rejected: Secret | None = None) -> Resolution:
        """A token other than `rejected`, whatever copies of it there are; with None, a new one.

        Once this returns nobody is given the old one. Never raises.
        """
        ...

    async def invalidate(self, recipe: Recipe, rejected: Secret | None = None) -> None:
        """Forget the token, everywhere; the next acquire looks for another. Unavailable."""
        ...

    async def set_manual(
        self, recipe: Recipe, text: Secret, expires_at: float | None = None
    ) -> None:
        """Use this one from now on, until `expires_at` (Unix seconds). Invalid; Unavailable, with
        nothing changed, if it cannot be stored."""
        ...

    async def clear_manual(self, recipe: Recipe) -> bool:
        """Use the other sources again; whether there was an override. Unavailable."""
        ...

    async def inspect(self, recipe: Recipe) -> ResolverStanding:
        """How that resolver is doing; nobody is started for it."""
        ...

    async def inspect_all(self) -> list[ResolverStanding]:
        """Each of the operator's, by name."""
        ...

"""Resolvers: how everybody comes by an access token, without knowing who looks for it.

A token that lies ready is read in the caller's own task; for anything else the recipe's own actor
is asked, and started if there is none. It is a temporary child, so its crash spends no budget and
ends nobody else; whoever asks next starts it again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import trio

from actors import ActorDown, ActorError, Call, CallTimeout, MailboxFull, NoActor, Ref
from booper.domain.access import Resolution, ResolverStanding, Shelf, Source
from booper.domain.errors import NotFound, Unavailable
from booper.workers import names
from booper.workers.access import (
    Acquire,
    ClearManual,
    Inspect,
    Invalidate,
    Refresh,
    SetManual,
    standing,
)
from booper.workers.token_resolver import ROUNDS, TokenResolver
from supervisors import (
    ChildSpec,
    MaxChildren,
    Restart,
    SupervisorError,
    SupervisorRef,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors import Registry
    from booper.domain.secret import Secret
    from booper.ports import Ports
    from booper.ports.access import Host
    from booper.providers.recipes import Recipe

T = TypeVar("T")

TRIES = 10  # to reach an actor that is just coming or going
MARGIN = 5.0  # seconds that a caller waits longer than the resolver may take
CHEAP = 10.0  # seconds for a verb that looks for nothing
MOST = 20_000  # resolvers at once


class Resolvers:
    """The operator's named recipes, and the verbs for these and for any other recipe."""

    def __init__(
        self, registry: Registry, ports: Ports, host: Host, recipes: Iterable[Recipe] = ()
    ) -> None:
        self._registry = registry
        self._ports = ports
        self._host = host
        self._named = {recipe.name: recipe for recipe in recipes}
        self._shelf = Shelf()
        self._starting: dict[str, trio.Event] = {}

    def named(self, name: str) -> Recipe:
        """The operator's recipe of that name, or NotFound."""
        try:
            return self._named[name]
        except KeyError:
            raise NotFound("There is no such resolver.") from None

    async def acquire(self, recipe: Recipe) -> Resolution:
        """An access token, and where it came from; a resolution without one says why.

        Never raises. Any number of callers cost one search. A caller waits as long as the recipe's
        sources may take, no longer.
        """
        now = self._ports.clock.monotonic()
        kept = self._shelf.get(recipe.key, now)
        if kept is not None and now < kept.renew:
            await trio.lowlevel.checkpoint()
            return Resolution(kept.access, Source.MEMORY)
        return await self._search(recipe, Acquire())

    async def refresh(self, recipe: Recipe, rejected: Secret | None = None) -> Resolution:
        """A token other than `rejected`, whatever copies of it there are; with None, a new one.

        Once this returns nobody is given the old one. If somebody else has replaced the rejected
        one already, theirs is the answer and nothing is looked for. Never raises.
        """
        return await self._search(recipe, Refresh(rejected))

    async def invalidate(self, recipe: Recipe, rejected: Secret | None = None) -> None:
        """Forget the token, in memory and in the store; the next acquire looks for another.

        Never blocked by a search. Raises Unavailable if nobody can be told.
        """
        await self._ask(recipe, Invalidate(rejected), CHEAP)

    async def set_manual(
        self, recipe: Recipe, text: Secret, expires_at: float | None = None
    ) -> None:
        """Use this one from now on. Raises Invalid for what is no token, and Unavailable, with
        nothing changed, if it cannot be stored."""
        await self._ask(recipe, SetManual(text, expires_at), CHEAP)

    async def clear_manual(self, recipe: Recipe) -> bool:
        """Use the other sources again; whether there was an override. Raises Unavailable."""
        return await self._ask(recipe, ClearManual(), CHEAP)

    async def inspect(self, recipe: Recipe) -> ResolverStanding:
        """How the resolver of a recipe is doing; nobody is started for that."""
        with suppress(ActorError):
            return await Ref(self._registry, names.resolver(recipe.key)).call(Inspect(), 1.0)
        now = self._ports.clock.monotonic()
        kept = self._shelf.peek(recipe.key)
        good = kept if kept is not None and now < kept.until else None
        return standing(recipe, good, now, self._ports.clock.wall())

    async def inspect_all(self) -> list[ResolverStanding]:
        """Each of the operator's resolvers, by name."""
        return [await self.inspect(self._named[name]) for name in sorted(self._named)]

    async def _search(self, recipe: Recipe, message: Call[Resolution]) -> Resolution:
        try:
            return await self._ask(recipe, message, recipe.patience * ROUNDS + MARGIN)
        except Unavailable as error:
            return Resolution(None, why=error.detail, after=error.retry_after)

    async def _ask(self, recipe: Recipe, message: Call[T], timeout: float) -> T:
        """The answer of the recipe's actor, which is started if need be."""
        ref = Ref(self._registry, names.resolver(recipe.key))
        went = 0
        for _ in range(TRIES):
            try:
                return await ref.call(message, timeout)
            except NoActor:
                await self._start(recipe)
            except ActorDown:  # it went just then; every verb may be repeated, but not for ever
                went += 1
                if went > 1:
                    break
            except (CallTimeout, MailboxFull):
                break
        raise Unavailable("Its token resolver does not answer.", code="resolver_unavailable")

    async def _start(self, recipe: Recipe) -> None:
        """Start the actor, once for any number of callers; if that fails the next one tries."""
        under_way = self._starting.get(recipe.key)
        if under_way is not None:
            await under_way.wait()
            return
        done = self._starting[recipe.key] = trio.Event()
        try:
            spec = ChildSpec.actor(
                names.resolver(recipe.key),
                lambda: TokenResolver(recipe, self._ports, self._host, self._shelf),
                self._registry,
                restart=Restart.TEMPORARY,
                mailbox_limit=100_000,
            )
            await SupervisorRef(self._registry, names.RESOLVERS).start_child(spec, timeout=10.0)
        except MaxChildren:
            raise Unavailable("There are too many token resolvers.", code="busy") from None
        except (ActorError, SupervisorError):
            await trio.sleep(0.01)  # the supervisor, or an earlier life, comes or goes
        finally:
            del self._starting[recipe.key]
            done.set()

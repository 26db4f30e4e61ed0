"""TokenResolver: one app's access token: found once for all who wait, renewed, taken back.

A handler never waits: looking for a token is a task ("a search"), writing to the store another, so
the cheap verbs answer at once whatever the slow sources are doing. One search serves every caller.
What a search brings is taken only if nothing was taken back meanwhile: see `_find`.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
import trio

from actors import LATER, Actor, Call, Cast, Reply, Timer
from booper.domain.access import (
    KEPT_ON_DISK,
    Rejections,
    Resolution,
    ResolverStanding,
    Setbacks,
    Source,
    keep,
    token_of,
)
from booper.domain.errors import Invalid, Unavailable, Unsealable
from booper.workers import access as said
from booper.workers.access_rows import AccessRows
from booper.workers.sources import Sources

if TYPE_CHECKING:
    from booper.domain.access import AccessToken, Kept, Shelf
    from booper.domain.secret import Secret
    from booper.ports import Ports
    from booper.ports.access import Host
    from booper.providers.recipes import Recipe

log = structlog.get_logger()

ROUNDS = 3  # searches in a row that may be overtaken by a verb
WAITING = 10_000  # callers at once
LOOKS = 30.0  # seconds between two looks at the override, which another node may have set


class TokenResolver(Actor):
    """Takes Acquire, Refresh, Invalidate, SetManual, ClearManual, Inspect."""

    def __init__(self, recipe: Recipe, ports: Ports, host: Host, shelf: Shelf) -> None:
        """`shelf`: where everybody reads; what lies there from an earlier life is still good."""
        self._recipe = recipe
        self._ports = ports
        self._shelf = shelf
        self._put = shelf.writer(recipe.key)
        self._rejections = Rejections()
        self._sources = Sources(recipe, ports, host, self._rejections)
        self._waiting: list[Reply[Resolution]] = []
        self._search: trio.CancelScope | None = None
        self._epoch = 0  # rises whenever something is taken back or set
        self._distrust = False  # the stored copy was taken back, and may still be there
        self._override: Secret | None = None  # what the store last said it is
        self._setbacks = Setbacks()
        self._renewal: Timer | None = None
        self._asked_at = ports.clock.monotonic()
        self._looking = False

    async def init(self) -> None:
        self._rows = AccessRows(self._recipe, self._ports, self.nursery)
        self.every(min(LOOKS, self._recipe.idle), said.Look())

    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        if not isinstance(message, said.Inspect):
            self._asked_at = self._ports.clock.monotonic()
        match message:
            case said.Acquire():
                return self._acquire(reply)
            case said.Refresh(rejected):
                return self._refresh(rejected, reply)
            case said.Invalidate(rejected):
                return self._take_back(rejected)
            case said.SetManual(text, expires_at):
                return self._set_manual(text, expires_at, reply)
            case said.ClearManual():
                return self._change_override(None, reply)
            case said.Inspect():
                return self._standing()
            case _:
                return await super().handle_call(message, reply)

    async def handle_cast(self, message: Cast) -> None:
        match message:
            case said.Renew():
                self._renewal = None
                kept, now = self._shelf.peek(self._recipe.key), self._ports.clock.monotonic()
                if kept is not None and now - kept.used < self._recipe.idle:
                    self._begin(fresh=True)
            case said.Look(told):
                self._look(told=told)
            case _:
                await super().handle_cast(message)

    async def terminate(self, reason: str) -> None:  # noqa: ARG002 - the end is the same
        if self._search is not None:
            self._search.cancel()

    def _acquire(self, reply: Reply[Resolution]) -> Any:
        now = self._ports.clock.monotonic()
        kept = self._shelf.get(self._recipe.key, now)
        if kept is not None:
            if now >= kept.renew and self._renewal is None:
                self._begin(fresh=True)
            return Resolution(kept.access, Source.MEMORY)
        return self._setbacks.answer(now) or self._join(reply)

    def _refresh(self, rejected: Secret | None, reply: Reply[Resolution]) -> Any:
        now = self._ports.clock.monotonic()
        kept = self._shelf.get(self._recipe.key, now)
        if rejected is not None and kept is not None and kept.access.text != rejected:
            self._rejections.add(rejected, now)
            return Resolution(kept.access, Source.MEMORY)  # somebody was here before
        self._take_back(rejected)
        return self._setbacks.answer(now) or self._join(reply)

    def _take_back(self, rejected: Secret | None) -> None:
        """Forget the rejected token, or whatever there is; in memory now, in the store next."""
        if rejected is None:
            self._distrust = True
            self._ask_again()  # who says so by hand wants another try
        else:
            self._rejections.add(rejected, self._ports.clock.monotonic())
            kept = self._shelf.peek(self._recipe.key)
            if kept is not None and kept.access.text == rejected:
                self._put(None)
        if Source.STORE in self._recipe.sources:
            self._rows.forget(rejected)

    def _set_manual(self, text: Secret, expires_at: float | None, reply: Reply[Resolution]) -> Any:
        wall = self._ports.clock.wall()
        life = math.inf if expires_at is None else expires_at - wall
        access = token_of(text.reveal(), ttl=math.inf, wall=wall, life=life)
        if not isinstance(access, str):
            return self._change_override(access, reply)
        why = f"The access token cannot be used: {access}."
        reply.fail(Invalid(why, code="invalid_access_token", pointer="/access_token"))
        return LATER

    def _change_override(self, access: AccessToken | None, reply: Reply[Any]) -> Any:
        """Store it first: a token set by hand cannot be found again."""

        def done(result: bool | Unavailable) -> None:  # noqa: FBT001 - what AccessRows brings
            if isinstance(result, Unavailable):
                why = f"Nothing was changed: {result.detail}"
                reply.fail(Unavailable(why, code="override_not_stored"))
            elif access is None:
                self._override = None
                self._ask_again()
                reply.send(result)
            else:
                self._rejections.forgive(access.text)
                found = Resolution(access, Source.MANUAL)
                self._land(found)
                reply.send(found)

        if Source.MANUAL in self._recipe.sources:
            self._rows.override(access, done)
        else:
            reply.fail(Invalid("This resolver takes no override.", code="no_override"))
        return LATER

    def _join(self, reply: Reply[Resolution]) -> Any:
        if len(self._waiting) >= WAITING:
            return Resolution(None, why="too many are waiting for it", after=1.0)
        self._waiting.append(reply)
        if self._shelf.peek(self._recipe.key) is not None:
            self._distrust = True  # it ended here, whatever the wall clock says
        self._begin(fresh=False)
        return LATER

    def _begin(self, *, fresh: bool) -> None:
        if self._search is None:
            self._search = trio.CancelScope()
            self.nursery.start_soon(self._run, self._search, fresh)

    async def _run(self, scope: trio.CancelScope, fresh: bool) -> None:  # noqa: FBT001 - a task's
        with scope:
            resolution = await self._find(fresh=fresh)
            if self._search is scope:
                self._land(resolution)

    async def _find(self, *, fresh: bool) -> Resolution:
        """A token that was not taken back while it was looked for."""
        for _ in range(ROUNDS):
            epoch = self._epoch
            found = await self._sources.find(stored=not (fresh or self._distrust))
            now = self._ports.clock.monotonic()
            old = found.source in (Source.STORE, Source.MANUAL) and epoch != self._epoch
            if found.access is None or not (old or self._rejections.holds(found.access.text, now)):
                return found
        return Resolution(None, why="it is being changed over and over", after=1.0)

    def _land(self, found: Resolution) -> None:
        """Put the token where everybody finds it, and tell who waits. Ends the search under way."""
        now, dice = self._ports.clock.monotonic(), self._ports.dice.random()
        if self._search is not None:
            self._search.cancel()
            self._search = None
        if found.access is not None:
            self._take(found.access, found.source, now, dice)
        else:
            log.warning(
                "access_not_found",
                resolver=self._recipe.key,
                why=found.why,
                refused=found.refused,
                failures=self._setbacks.note(found, now, dice),
            )
            if self._good(now):
                self._renew_in(self._setbacks.pause(dice))
        while self._waiting:
            self._waiting.pop().send(found)

    def _take(self, access: AccessToken, source: Source, now: float, dice: float) -> None:
        self._setbacks.clear()
        if source is Source.MANUAL:
            self._override = access.text
        old = self._good(now)
        same = old is not None and old.access.text == access.text
        if old and same and access.expires_at <= old.access.expires_at:
            self._renew_in(self._setbacks.pause(dice))  # the source has nothing newer yet
            return
        lead, wall = self._recipe.lead, self._ports.clock.wall()
        kept = keep(access, source, lead=lead, wall=wall, now=now, dice=dice)
        self._put(kept)
        self._renew_in(kept.renew - now)
        if source in KEPT_ON_DISK and Source.STORE in self._recipe.sources:
            self._rows.keep(access, self._trust)

    def _trust(self) -> None:
        self._distrust = False

    def _good(self, now: float) -> Kept | None:
        kept = self._shelf.peek(self._recipe.key)
        return kept if kept is not None and now < kept.until else None

    def _renew_in(self, seconds: float) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
        self._renewal = None
        if math.isfinite(seconds):
            self._renewal = self.after(max(seconds, 0.0), said.Renew())

    def _look(self, *, told: bool) -> None:
        """Go if nobody asks any more; else see what another node did to the override."""
        kept, now = self._shelf.peek(self._recipe.key), self._ports.clock.monotonic()
        last = max(self._asked_at, kept.used if kept is not None else -math.inf)
        if self._waiting or self._search is not None or self._rows.busy or self._looking:
            if told:  # what is under way may have read before the change
                self.after(0.1, said.Look(told=True))
            return
        if now - last >= self._recipe.idle:
            self._put(None)
            self.stop()
        elif Source.MANUAL in self._recipe.sources:
            self._looking = True
            self.nursery.start_soon(self._look_at_override)

    async def _look_at_override(self) -> None:
        epoch = self._epoch
        with suppress(Unavailable, Unsealable):
            found = await self._sources.override()
            text, now = found.text if found else None, self._ports.clock.monotonic()
            if text != self._override and epoch == self._epoch and not self._rows.busy:
                self._override = text
                ended = found is not None and found.expires_at <= self._ports.clock.wall()
                if not ended and not (text and self._rejections.holds(text, now)):
                    self._ask_again()
        self._looking = False

    def _ask_again(self) -> None:
        """What is in memory is not what should be used any more."""
        self._epoch += 1
        self._setbacks.clear()
        self._put(None)

    def _standing(self) -> ResolverStanding:
        now = self._ports.clock.monotonic()
        kept, searching = self._good(now), self._search is not None
        trouble = "asking" if searching else "failing" if self._setbacks.count else "empty"
        return msgspec.structs.replace(
            said.standing(self._recipe, kept, now, self._ports.clock.wall()),
            state="good" if kept else trouble,
            fingerprint=self._ports.seal.fingerprint(kept.access.text) if kept else "",
            overridden=kept is not None and kept.source is Source.MANUAL,
            waiting=len(self._waiting),
            failures=self._setbacks.count,
            last_error=self._setbacks.last.why,
            asked=dict(self._sources.asked),
        )

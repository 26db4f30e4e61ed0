"""Sources: asks a recipe's sources for an access token, one after the other, each within its time.

What a source cannot do is an answer, never a crash: a missing program, a store that is away, a
row that does not open. So one broken source cannot keep the next from being asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
import trio

from booper.domain.access import LONGEST, AccessToken, Rejections, Resolution, Source, token_of
from booper.domain.errors import Unavailable, Unsealable
from booper.providers.recipes import LOOK, extract
from booper.store import access as rows

if TYPE_CHECKING:
    from booper.ports import Ports
    from booper.ports.access import Host
    from booper.providers.recipes import Recipe

log = structlog.get_logger()

Found = AccessToken | Resolution  # a token, or why not


class Sources:
    """The sources of one resolver."""

    def __init__(self, recipe: Recipe, ports: Ports, host: Host, rejections: Rejections) -> None:
        """`rejections`: what a source may still have and nobody wants."""
        self._recipe = recipe
        self._whose = rows.Whose(recipe.tenant, recipe.name)
        self._ports = ports
        self._host = host
        self._rejections = rejections
        self._ways = {
            Source.MANUAL: self._manual,
            Source.STORE: self._stored,
            Source.FILE: self._file,
            Source.COMMAND: self._command,
            Source.GRANT: self._grant,
            Source.MINTED: self._minted,
            Source.STATIC: self._static,
        }
        self.asked: dict[str, int] = {}

    async def find(self, *, stored: bool) -> Resolution:
        """The first source's token that is good and not rejected, or why there is none.

        Not `stored`: the cached copy is passed over, something new is wanted. Takes no longer
        than the recipe's patience.
        """
        why: list[str] = []
        refused, after = False, 0.0
        for source in self._recipe.sources:
            if source is Source.STORE and not stored:
                continue
            self.asked[source.value] = self.asked.get(source.value, 0) + 1
            found = await self._ways[source]()
            if isinstance(found, AccessToken):
                if not self._rejections.holds(found.text, self._ports.clock.monotonic()):
                    return Resolution(found, source)
                found = Resolution(None, why="the provider rejected it", refused=True)
            if found.why:
                why.append(f"{source}: {found.why}")
            refused, after = refused or found.refused, max(after, found.after)
        return Resolution(
            None, why="; ".join(why) or "nobody has one", refused=refused, after=after
        )

    async def override(self) -> AccessToken | None:
        """The operator's override as it is stored, ended or not. Unavailable or Unsealable."""
        database, seal = self._ports.database, self._ports.seal
        return await database.read(rows.load, seal, self._whose, rows.MANUAL)

    async def _manual(self) -> Found:
        return await self._row(rows.MANUAL)

    async def _stored(self) -> Found:
        return await self._row(rows.CACHED)

    async def _row(self, kind: rows.Kind) -> Found:
        found: AccessToken | None = None
        try:
            with trio.move_on_after(LOOK) as scope:
                found = await self._ports.database.read(
                    rows.load, self._ports.seal, self._whose, kind
                )
        except Unavailable:
            return Resolution(None, why="the store is away", after=1.0)
        except Unsealable as error:
            log.error("access_unreadable", resolver=self._recipe.key, kind=kind, why=error.code)
            return Resolution(None, why="the stored copy does not open")
        if scope.cancelled_caught:
            return Resolution(None, why="the store is slow", after=1.0)
        if found is None:
            return Resolution(None)
        if found.expires_at <= self._ports.clock.wall():
            return Resolution(None, why="it has expired")
        return found

    async def _file(self) -> Found:
        data: bytes | None = None
        with trio.move_on_after(LOOK):
            data = await self._host.files.read(self._recipe.file, limit=LONGEST * 4)
        if data is None:
            return Resolution(None, why=f"{self._recipe.file} cannot be read")
        return self._said(data, self._recipe.file_key)

    async def _command(self) -> Found:
        recipe = self._recipe
        ran = await self._host.commands.run(
            recipe.command,
            timeout=recipe.timeout,
            limit=LONGEST * 2,
            extra=dict(recipe.environment),
        )
        if ran.status == 0:
            return self._said(ran.output, recipe.command_key)
        why = ran.why or f"it ended with status {ran.status}"
        # What it printed may be half a token: it stays here.
        log.warning(
            "access_command_failed", resolver=recipe.key, program=recipe.command[0], why=why
        )
        return Resolution(None, why=why)

    def _said(self, data: bytes, key: str) -> Found:
        said = extract(data, key)
        if said is None:
            return Resolution(None, why=f"there is no {key} in it" if key else "it is empty")
        text, life = said
        wall = self._ports.clock.wall()
        return _found(token_of(text, ttl=self._recipe.ttl, wall=wall, life=life))

    async def _grant(self) -> Found:
        grant, clock = self._recipe.grant, self._ports.clock
        if grant is None:
            return Resolution(None)
        client = self._ports.transport.client(grant.outlet)
        try:
            request = grant.request(clock.wall())
            (answer,) = await client.send([request], timeout=self._recipe.timeout)
        finally:
            with trio.move_on_after(1.0, shield=True):
                await client.aclose()
        return grant.read(answer, clock.wall())

    async def _minted(self) -> Found:
        mint = self._recipe.mint
        return Resolution(None) if mint is None else mint(self._ports.clock.wall())

    async def _static(self) -> Found:
        fixed = self._recipe.fixed
        if fixed is None:
            return Resolution(None)
        wall = self._ports.clock.wall()
        return _found(token_of(fixed.reveal(), ttl=float("inf"), wall=wall))


def _found(token: AccessToken | str) -> Found:
    return Resolution(None, why=token) if isinstance(token, str) else token

"""Registrar: the verbs that change what an instance should be. Each is one transaction: the row,
its sealed settings, and an audit line; whoever is told about it afterwards finds it written.

Used by the front door for operators and tenants alike, by the start for the instances of the
settings file, and by running instances for what they found out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from booper.domain import rotation
from booper.domain.errors import Conflict, Stale, Unsealable
from booper.domain.wanted import CONFIGURATION, FILE, Editor, Wanted, instance_name, key_of, merged
from booper.providers import PROVIDERS
from booper.store import instances
from booper.workers import names
from booper.workers.messages import Apply, Changed, hint
from booper.workers.router import DirectoryRouter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from actors import Registry
    from booper.domain.protection import Protection
    from booper.ports import Ports, Tx
    from booper.providers.provider import Codec
    from booper.store.instances import Kept
    from booper.workers.directory import Directory
    from booper.workers.safe import Safe

    Check = Callable[[int], None]  # raises Stale for a version that the caller did not expect

_VERBS: dict[str, dict[str, bool]] = {
    "start": {"started": True},
    "stop": {"started": False},
    "enable": {"enabled": True},
    "disable": {"enabled": False},
    "prefer": {"preferred": True},
    "reconnect": {},
}
_set = msgspec.structs.replace


def _any(version: int) -> None:
    """Every version is welcome."""


class Registrar:
    """Stateless but for the directory, which it tells what it has written."""

    def __init__(self, ports: Ports, directory: Directory, registry: Registry, safe: Safe) -> None:
        self.directory = directory
        self.router = DirectoryRouter(directory, ports.clock)
        self.safe = safe
        self._ports = ports
        self._registry = registry

    # -- looking

    async def find(self, by: Editor, name: str) -> Wanted:
        """One of the tenant's instances; NotFound also for somebody else's."""
        return await self._ports.database.read(instances.known, key_of(by.tenant, name))

    async def seen(self, by: Editor, name: str) -> tuple[Wanted, Kept]:
        """The same, with its newest settings that did not fail."""

        async def look(tx: Tx) -> tuple[Wanted, Kept]:
            wanted = await instances.known(tx, key_of(by.tenant, name))
            return wanted, await instances.kept(tx, wanted.key, wanted.proving or wanted.serving)

        return await self._ports.database.read(look)

    async def codec(self, key: str, number: int) -> tuple[Codec, Protection]:
        """The codec of a kept generation, and its caps: NotFound, Unsealable, Misconfigured."""

        async def look(tx: Tx) -> tuple[Wanted, Kept]:
            return await instances.known(tx, key), await instances.kept(tx, key, number)

        return self.safe.codec(*await self._ports.database.read(look))

    async def proposed(self, by: Editor, name: str, patch: Mapping[str, object]) -> dict[str, Any]:
        """What the settings would be with `patch`: to be tried with the provider first."""

        async def look(tx: Tx) -> dict[str, Any]:
            wanted = await instances.known(tx, key_of(by.tenant, name))
            return merged(await self._settings(tx, wanted), patch)

        return await self._ports.database.read(look)

    # -- changing

    async def create(
        self,
        by: Editor,
        name: str,
        provider: str,
        settings: Mapping[str, object],
        *,
        started: bool = True,
        enabled: bool = True,
        preferred: bool = False,
    ) -> Wanted:
        """A new instance. Invalid (with what is wrong), Conflict `instance_exists`; nothing was
        started then. The settings file's own may be called like a provider."""
        own = by is FILE
        instance_name(name, frozenset() if own else frozenset(PROVIDERS))
        settings = merged({}, settings)
        self.safe.prove(by.tenant, name, provider, settings)
        key, now = key_of(by.tenant, name), self._ports.clock.wall()

        async def write(tx: Tx) -> Wanted:
            version, generation = await instances.last_numbers(tx, key)
            wanted = Wanted(
                *(key, by.tenant, name, provider, CONFIGURATION if own else "api"),
                version=version + 1,
                generation=generation + 1,
                serving=generation + 1,
                changed_at=now,
                changed_by=by.name,
                started=started,
                enabled=enabled,
                preferred=preferred,
            )
            if preferred:
                await instances.unprefer(tx, wanted)
            kept = self.safe.sealed(wanted, settings)
            if not await instances.insert(tx, wanted):
                raise Conflict(f"There is an instance {name!r} already.", code="instance_exists")
            await instances.keep(tx, key, kept)
            await instances.note(tx, wanted, "create", kept.fingerprint, "")
            return wanted

        return await self._write(write)

    async def reconfigure(
        self,
        by: Editor,
        name: str,
        patch: Mapping[str, object],
        *,
        check: Check = _any,
        share: float = 1.0,
        verified: Mapping[str, object] | None = None,
        whole: bool = False,
    ) -> Wanted:
        """The settings with `patch` laid over them, as a new generation; none if nothing differs.

        Merging, proving and writing are one transaction, so no parallel change is lost. Stale:
        `check` says so of the version; or, with `verified` (settings tried with the provider
        before), the merge comes out differently now. `whole`: `patch` is all of them.
        """

        async def write(tx: Tx) -> Wanted:
            wanted = await instances.at(tx, key_of(by.tenant, name), check)
            wanted.check_editor(by)
            base = await self._settings(tx, wanted, {} if by is FILE else None)
            settings = merged({} if whole else base, patch)
            if verified is not None and settings != verified:
                raise Stale("The settings were changed meanwhile.", code="changed_meanwhile")
            origin = CONFIGURATION if by is FILE else wanted.origin
            if settings == base and origin == wanted.origin:
                return wanted
            self.safe.prove(by.tenant, name, wanted.provider, settings)
            claimed = _set(wanted, origin=origin)
            return await self._renew(tx, claimed, by, settings, share, "reconfigure")

        return await self._write(write)

    async def turn(self, by: Editor, name: str, verb: str, *, check: Check = _any) -> Wanted:
        """start, stop, enable, disable, prefer, reconnect. Idempotent, all but the last."""

        async def write(tx: Tx) -> Wanted:
            wanted = await instances.at(tx, key_of(by.tenant, name), check)
            if verb == "reconnect":
                changed = _set(wanted, reconnects=wanted.reconnects + 1)
            else:
                changed = _set(wanted, **_VERBS[verb])
            if changed == wanted:
                return wanted
            return await self._save(tx, wanted, self._touched(changed, by), verb)

        return await self._write(write)

    async def decide(self, by: Editor, name: str, action: str, *, check: Check = _any) -> Wanted:
        """About a rotation, `confirm` what is on trial, `retry` what failed,
        `undo` either. Conflict `no_rotation`: there is none."""

        async def write(tx: Tx) -> Wanted:
            wanted = await instances.at(tx, key_of(by.tenant, name), check)
            if action == "retry":
                number = rotation.open_generation(wanted, failed=True)
                settings = self.safe.opened(wanted, await instances.kept(tx, wanted.key, number))
                return await self._renew(tx, wanted, by, settings, 1.0, "rotation_retry")
            if action == "confirm":
                number = rotation.open_generation(wanted, failed=False)
                changed = rotation.confirmed(wanted, number) or wanted
            else:
                changed = rotation.undone(wanted)
            return await self._save(tx, wanted, self._touched(changed, by), f"rotation_{action}")

        return await self._write(write)

    async def delete(self, by: Editor, name: str, *, check: Check = _any) -> None:
        """The row, with every credential in it; the audit stays."""

        async def write(tx: Tx) -> Wanted:
            wanted = await instances.at(tx, key_of(by.tenant, name), check)
            wanted.check_editor(by)
            gone = self._touched(wanted, by)
            await instances.note(tx, gone, "delete", "", "")
            await instances.delete(tx, wanted.key)
            return gone

        gone = await self._ports.database.write(write)
        self.directory.remove(gone)
        hint(self._registry, names.KEEPER, Changed(gone.key))

    async def report(self, key: str, number: int, words: str | None) -> None:
        """What a running instance found out about generation `number`: proved (None), or refused
        with these words. Nothing happens if that was decided meanwhile."""

        async def write(tx: Tx) -> Wanted | None:
            wanted = await instances.find(tx, key)
            if wanted is None:
                return None
            if words is None:
                changed, verb = rotation.confirmed(wanted, number), "rotation_done"
            else:
                changed, verb = rotation.refused(wanted, number, words), "rotation_failed"
            if changed is None:
                return wanted
            changed = self._touched(changed, Editor(wanted.tenant, "booper"))
            return await self._save(tx, wanted, changed, verb, detail=changed.words)

        wanted = await self._ports.database.write(write)
        if wanted is not None:
            self._tell(wanted)

    # -- the parts

    async def _write(self, work: Callable[[Tx], Awaitable[Wanted]]) -> Wanted:
        wanted = await self._ports.database.write(work)
        self._tell(wanted)
        return wanted

    def _tell(self, wanted: Wanted) -> None:
        """Here at once; the keeper sees to the rest, and would find out by itself."""
        if self.directory.put(wanted):
            hint(self._registry, names.instance(wanted.key), Apply(wanted))
        hint(self._registry, names.KEEPER, Changed(wanted.key))

    def _touched(self, wanted: Wanted, by: Editor) -> Wanted:
        return rotation.touched(wanted, by.name, self._ports.clock.wall())

    async def _settings(
        self, tx: Tx, wanted: Wanted, unreadable: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The newest settings that did not fail: what a change is laid over."""
        number = wanted.serving if wanted.proving is None else wanted.proving
        try:
            return self.safe.opened(wanted, await instances.kept(tx, wanted.key, number))
        except Unsealable:
            if unreadable is None:
                raise
            return unreadable

    async def _renew(
        self,
        tx: Tx,
        wanted: Wanted,
        by: Editor,
        settings: Mapping[str, object],
        share: float,
        verb: str,
    ) -> Wanted:
        changed = self._touched(rotation.renewed(wanted, share), by)
        kept = self.safe.sealed(changed, settings)
        await instances.keep(tx, changed.key, kept)
        return await self._save(tx, wanted, changed, verb, kept.fingerprint)

    async def _save(
        self,
        tx: Tx,
        wanted: Wanted,
        changed: Wanted,
        verb: str,
        mark: str = "",
        detail: str = "",
    ) -> Wanted:
        """The changed row, its audit line, and no credential that nobody needs any more."""
        if changed.preferred and not wanted.preferred:
            await instances.unprefer(tx, changed)
        await instances.save(tx, changed, wanted.version)
        used = (changed.serving, changed.proving, changed.failed)
        await instances.drop_others(tx, changed.key, used)
        await instances.note(tx, changed, verb, mark, detail)
        return changed

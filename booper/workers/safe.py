"""Safe: an instance's settings on their way into a row and out of it, proved and sealed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from booper.domain.errors import Invalid, Misconfigured, Unsealable
from booper.domain.protection import split
from booper.domain.secret import Place, Secret
from booper.domain.wanted import OPERATOR
from booper.providers import codec, shown
from booper.providers.provider import ParcelCodec
from booper.store import instances
from booper.store.instances import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from booper.domain.protection import Protection
    from booper.domain.wanted import Wanted
    from booper.ports import Clock, Seal, Tx
    from booper.providers.provider import Codec

    Make = Callable[[str, Mapping[str, object], float], Codec]

KIND = "instance"  # of what is sealed


class Safe:
    """Knows how to make a codec, and how to seal what it is made of."""

    def __init__(self, seal: Seal, clock: Clock, make: Make = codec) -> None:
        """`make`: the codec of (name, settings with `provider`, Unix seconds), its credential
        proved by use; Misconfigured where it cannot be."""
        self._seal = seal
        self._clock = clock
        self._make = make

    def prove(self, tenant: str, name: str, provider: str, settings: Mapping[str, object]) -> Codec:
        """The codec of settings that somebody proposes; Invalid says what is wrong with them."""
        if "provider" in settings:  # it has a place of its own, and never changes
            raise Invalid(
                "provider is no setting.", code="invalid_settings", pointer="/settings/provider"
            )
        try:
            return self._made(tenant, name, settings, provider)
        except Misconfigured as error:
            pointer = "/provider" if error.code == "unknown_provider" else "/settings"
            raise Invalid(error.detail, code=error.code, pointer=pointer) from None

    def codec(self, wanted: Wanted, kept: Kept) -> tuple[Codec, Protection]:
        """The codec of what is kept, and its caps: Unsealable, Misconfigured."""
        settings = self.opened(wanted, kept)
        caps, _ = split(wanted.key, settings)
        return self._made(wanted.tenant, wanted.name, settings, wanted.provider), caps

    def opened(self, wanted: Wanted, kept: Kept) -> dict[str, Any]:
        """The settings of one generation; Unsealable. They hold the credential: keep them short."""
        text = self._seal.open(_place(wanted, kept.number), kept.settings).reveal()
        return msgspec.json.decode(text, type=dict[str, Any])

    def sealed(self, wanted: Wanted, settings: Mapping[str, object]) -> Kept:
        """The settings as the newest generation of that row."""
        text = msgspec.json.encode(settings, order="sorted").decode()
        view, secrets = shown(wanted.provider, settings)
        return Kept(
            wanted.generation,
            self._seal.seal(_place(wanted, wanted.generation), Secret(text)),
            msgspec.json.encode(view, order="sorted").decode(),
            self._seal.fingerprint(Secret(msgspec.json.encode(secrets, order="sorted").decode())),
            wanted.changed_at,
            wanted.changed_by,
        )

    def _made(self, tenant: str, name: str, settings: Mapping[str, object], provider: str) -> Codec:
        """A tenant's server is a stranger: nothing it names is reached unguarded."""
        made = self._make(name, {**settings, "provider": provider}, self._clock.wall())
        if tenant != OPERATOR and isinstance(made, ParcelCodec):
            made.outlet = msgspec.structs.replace(made.outlet, guarded=True, trusted=())
        return made

    async def renew(self, tx: Tx) -> int:
        """Seal by the current key what an older one sealed; how many. What does not open stays."""
        fresh = 0
        for key, tenant, name, number, sealed in await instances.sealed(tx):
            again = self.resealed(tenant, name, number, sealed)
            if again is not None:
                await instances.reseal(tx, key, number, again)
                fresh += 1
        return fresh

    def resealed(self, tenant: str, name: str, number: int, sealed: str) -> str | None:
        """The same under the current key; None: it is already, or does not open."""
        if not self._seal.stale(sealed):
            return None
        with suppress(Unsealable):
            return self._seal.rewrap(Place(tenant, KIND, name, number), sealed)
        return None


def _place(wanted: Wanted, number: int) -> Place:
    return Place(wanted.tenant, KIND, wanted.name, number)

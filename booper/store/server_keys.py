"""Server keys: what the house itself signs and fingerprints with, sealed in its own database.

Per purpose there is a ring: the newest key is the one in use, older ones are still believed until
they are removed. All nodes see a change within TTL; a key that another node has just made is looked
for at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.domain.secret import Place, Secret
from booper.ports import Sql

if TYPE_CHECKING:
    from booper.ports import Clock, Database, Ids, Seal, Tx

TTL = 0.5  # seconds
SIZE = 32  # bytes of a key

SESSION = "session"  # signs access JWTs (Ed25519 seeds)
CURSOR = "cursor"  # signs the cursors of long lists
DEVICE_MARK = "device_mark"  # fingerprints device tokens: never rotated, or none would be found
DEVICE_TOKEN = "device_token"  # noqa: S105 - a purpose; seals device tokens
ACCESS_CODE = "access_code"  # fingerprints access codes

_ALL = Sql("SELECT id, sealed FROM server_keys WHERE purpose = ?1 ORDER BY number")
_ADD = Sql("INSERT INTO server_keys (id, purpose, sealed, created_at) VALUES (?1, ?2, ?3, ?4)")
_REWRAP = Sql("UPDATE server_keys SET sealed = ?1 WHERE id = ?2 AND sealed = ?3")
# On PostgreSQL two nodes may start at once, and there is one first key.
_ALONE = Sql("SELECT 0", "SELECT pg_advisory_xact_lock(28539)")
_REMOVE = Sql(
    "DELETE FROM server_keys WHERE purpose = ?1 AND id = ?2 AND number <"
    " (SELECT max(number) FROM server_keys WHERE purpose = ?1)"
)


class ServerKey(NamedTuple):
    """One key; its bytes are behind `secret`, in hexadecimal."""

    id: str
    secret: Secret

    @property
    def raw(self) -> bytes:
        return bytes.fromhex(self.secret.reveal())


class _Ring(NamedTuple):
    keys: dict[str, ServerKey]  # oldest first
    until: float


class ServerKeys:
    """The rings of one database, by purpose."""

    def __init__(self, database: Database, seal: Seal, ids: Ids, clock: Clock) -> None:
        self._database = database
        self._seal = seal
        self._ids = ids
        self._clock = clock
        self._rings: dict[str, _Ring] = {}

    async def newest(self, purpose: str) -> ServerKey:
        """The key in use; made if there was none."""
        keys = await self._ring(purpose)
        if not keys:
            await self._database.write(self._first, purpose)
            keys = await self._ring(purpose, fresh=True)
        return next(reversed(keys.values()))

    async def find(self, purpose: str, id: str) -> ServerKey | None:  # noqa: A002
        """The key with that id, if it is still believed."""
        found = (await self._ring(purpose)).get(id)
        return found or (await self._ring(purpose, fresh=True)).get(id)

    async def all(self, purpose: str) -> list[ServerKey]:
        """Every key of a purpose, oldest first, as it is now."""
        return list((await self._ring(purpose, fresh=True)).values())

    async def rotate(self, purpose: str) -> str:
        """A new key, in use from now on; its id. The older ones are still believed."""
        own = await self._database.write(self._add, purpose)
        self._rings.pop(purpose, None)
        return own

    async def remove(self, purpose: str, id: str) -> bool:  # noqa: A002
        """Believe a key no longer; False if there is none, or if it is the one in use."""
        removed = await self._database.write(_remove, purpose, id)
        self._rings.pop(purpose, None)
        return removed

    async def _ring(self, purpose: str, *, fresh: bool = False) -> dict[str, ServerKey]:
        ring = self._rings.get(purpose)
        if ring is None or fresh or ring.until <= self._clock.monotonic():
            until = self._clock.monotonic() + TTL
            rows = await self._database.read(_all, purpose)
            known = ring.keys if ring else {}
            keys = {own: known.get(own) or self._opened(own, sealed) for own, sealed in rows}
            stale = [(own, sealed) for own, sealed in rows if self._seal.stale(sealed)]
            if stale:
                await self._database.write(self._rewrap, stale)
            self._rings[purpose] = ring = _Ring(keys, until)
        return ring.keys

    def _opened(self, own: str, sealed: str) -> ServerKey:
        return ServerKey(own, self._seal.open(_place(own), sealed))

    async def _first(self, tx: Tx, purpose: str) -> None:
        await tx.fetch(_ALONE)
        if not await tx.fetch(_ALL, purpose):
            await self._add(tx, purpose)

    async def _add(self, tx: Tx, purpose: str) -> str:
        own = self._ids.mint()
        sealed = self._seal.seal(_place(own), Secret(self._ids.secret(SIZE).hex()))
        await tx.execute(_ADD, own, purpose, sealed, self._clock.wall())
        return own

    async def _rewrap(self, tx: Tx, stale: list[tuple[str, str]]) -> None:
        for own, sealed in stale:
            await tx.execute(_REWRAP, self._seal.rewrap(_place(own), sealed), own, sealed)


def _place(own: str) -> Place:
    return Place("", "server_key", own, 1)


async def _all(tx: Tx, purpose: str) -> list[tuple[str, str]]:
    return [(own, sealed) for own, sealed in await tx.fetch(_ALL, purpose)]


async def _remove(tx: Tx, purpose: str, own: str) -> bool:
    return await tx.execute(_REMOVE, purpose, own) > 0

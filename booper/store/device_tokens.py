"""Device tokens at rest: sealed by a key of the house, found by a keyed fingerprint.

Every push opens one, so this is made for many at once: AES-256-GCM with one data key for all of
them (the key itself lies sealed among the server keys), about 1.5 us each. A sealed device token is
a mark (1 byte), the id of its key (16), a nonce (12), and what AES-GCM makes of it. One without the
mark is from before, and as it was given. Sources: NIST SP 800-38D; RFC 2104.
"""

from __future__ import annotations

import base64
import hmac
import uuid
from typing import TYPE_CHECKING

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from booper.ports import KeptToken, Sql
from booper.precedence import precedence
from booper.store.server_keys import DEVICE_MARK, DEVICE_TOKEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Database, Ids, Row, Tx
    from booper.store.server_keys import ServerKeys

log = structlog.get_logger()

MARK = b"\x01"
_ID, _NONCE = 17, 29  # where each ends
PAGE = 1_000  # rows sealed in one transaction
SLICE = 250  # opened in one piece

_UNSEALED = Sql(
    "SELECT number, fingerprint FROM devices WHERE sealed IS NULL ORDER BY number LIMIT ?"
)
_SEAL = Sql(
    "UPDATE devices SET fingerprint = ?, sealed = ?"
    " WHERE number = ? AND fingerprint = ? AND sealed IS NULL"
)


class DeviceTokens:
    """The `ports.DeviceTokens` of one database."""

    def __init__(self, keys: ServerKeys, ids: Ids) -> None:
        self._keys = keys
        self._ids = ids
        self._mark = b""
        self._ciphers: dict[bytes, AESGCM] = {}

    async def fingerprint(self, token: str) -> str:
        if not self._mark:
            self._mark = (await self._keys.newest(DEVICE_MARK)).raw
        raw = hmac.digest(self._mark, token.encode("utf-8", "surrogatepass"), "sha256")
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    async def keep(self, token: str) -> KeptToken:
        key = await self._keys.newest(DEVICE_TOKEN)
        begin, nonce = MARK + uuid.UUID(key.id).bytes, self._ids.secret(_NONCE - _ID)
        cipher = self._ciphers.setdefault(begin, AESGCM(key.raw))
        body = cipher.encrypt(nonce, token.encode("utf-8", "surrogatepass"), None)
        return KeptToken(await self.fingerprint(token), begin + nonce + body)

    async def open(self, sealed: Sequence[bytes]) -> list[str]:
        found: list[str] = []
        for at in range(0, len(sealed), SLICE):
            some = sealed[at : at + SLICE]
            async with precedence().heavy(len(some)):
                found += await self._open(some)
        return found

    async def _open(self, sealed: Sequence[bytes]) -> list[str]:
        try:
            return [self._opened(raw) for raw in sealed]
        except KeyError:
            for key in await self._keys.all(DEVICE_TOKEN):
                self._ciphers.setdefault(MARK + uuid.UUID(key.id).bytes, AESGCM(key.raw))
        except (InvalidTag, ValueError):
            pass
        try:
            return [self._opened(raw) for raw in sealed]
        except (InvalidTag, ValueError, KeyError):
            return [self._tried(raw) for raw in sealed]

    async def seal_old(self, database: Database) -> int:
        """Seal, step by step, every device token that lies open; how many there were."""
        count = 0
        while rows := await database.read(_unsealed, PAGE):
            kept = [(*await self.keep(token), number, token) for number, token in rows]
            await database.write(_seal, kept)
            count += len(rows)
        return count

    def _opened(self, raw: bytes) -> str:
        if raw[:1] != MARK:
            return raw.decode()
        return self._ciphers[raw[:_ID]].decrypt(raw[_ID:_NONCE], raw[_NONCE:], None).decode()

    def _tried(self, raw: bytes) -> str:
        """One that was changed, or whose key is no more, is as if it were not there."""
        try:
            return self._opened(raw)
        except (InvalidTag, ValueError, KeyError):
            log.error("device_token_unreadable", size=len(raw))
            return ""


async def _unsealed(tx: Tx, limit: int) -> list[Row]:
    return await tx.fetch(_UNSEALED, limit)


async def _seal(tx: Tx, kept: Sequence[tuple[str, bytes, int, str]]) -> None:
    await tx.execute_many(_SEAL, kept)

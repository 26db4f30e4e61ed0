"""Passwords: argon2id in threads, a few at a time, so that logins cost neither all memory nor all
answers. Sources: RFC 9106 §4 (its second choice of parameters); OWASP Password Storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import trio
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from booper.domain.errors import Unavailable
from booper.domain.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
AT_ONCE = 2  # hashes, of MEMORY each
WAITING = 64  # more are turned away
MEMORY = 65_536  # KiB


class Argon2Passwords:
    """The `ports.Passwords`."""

    def __init__(self, *, memory: int = MEMORY, rounds: int = 3) -> None:
        """`memory`: KiB of one hash."""
        self._hasher = PasswordHasher(time_cost=rounds, memory_cost=memory, parallelism=4)
        self._limiter = trio.CapacityLimiter(AT_ONCE)
        self._waiting = 0
        self._nobody: str | None = None  # what is compared when there is no account

    async def hash(self, password: Secret) -> Secret:
        return Secret(await self._run(lambda: self._hasher.hash(password.reveal())))

    async def verify(self, stored: Secret | None, password: Secret) -> bool:
        if stored is None:
            await self._run(lambda: self._check(self._nobody_s(), password.reveal()))
            return False
        text = stored.reveal()
        return await self._run(lambda: self._check(text, password.reveal()))

    def weak(self, stored: Secret) -> bool:
        return self._hasher.check_needs_rehash(stored.reveal())

    def _nobody_s(self) -> str:
        if self._nobody is None:
            self._nobody = self._hasher.hash("nobody")
        return self._nobody

    def _check(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        """The result of a work in a thread. A caller that leaves does not stop it: its memory
        counts until it ends."""
        if self._waiting >= WAITING:
            raise Unavailable("Too many log in at once.", code="busy", retry_after=5.0)
        self._waiting += 1
        try:
            return await trio.to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._waiting -= 1

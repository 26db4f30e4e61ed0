"""Access: the tokens that providers want from us, how long each is good for, and what is decided
about them. The decisions of `workers/token_resolver.py`; no clock, no dice, no waiting.

Lifetimes are measured on the monotonic clock from the moment a token arrived, so a wall clock that
jumps neither lengthens nor cuts them; Unix seconds are only used for what must outlive a restart.
"""

from __future__ import annotations

import base64
import binascii
import math
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from booper.domain.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 16_384  # characters of one access token
MARGIN = 10.0  # seconds before its end from which a token is no longer handed out
SHARE = 0.2  # of its life: a token is never renewed earlier before its end than this
SPREAD = 0.25  # of the lead, by dice: who started together does not renew together
REMEMBERED = 300.0  # seconds that a rejected token is not offered again
REJECTIONS = 16  # of them remembered at once
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 600.0  # seconds between tries to renew what is still good
FIRST_SILENCE, LONGEST_SILENCE = 5.0, 60.0  # seconds for which a failure is the answer


class AccessToken(msgspec.Struct, frozen=True, eq=False):
    """What a provider wants to see with each request; the times in Unix seconds."""

    text: Secret
    minted_at: float
    renew_at: float
    expires_at: float = math.inf


class Source(StrEnum):
    """Where an access token came from."""

    MEMORY = "memory"
    MANUAL = "manual"  # an operator's override
    STORE = "store"  # the durable copy of an earlier one
    FILE = "file"  # another program's configuration
    COMMAND = "command"  # what a command printed
    GRANT = "grant"  # an authorisation server
    MINTED = "minted"  # signed here
    STATIC = "static"  # written in the settings
    NONE = "none"


KEPT_ON_DISK = frozenset({Source.FILE, Source.COMMAND, Source.GRANT, Source.MINTED})
"""The sources whose tokens are worth a durable copy."""


class Resolution(msgspec.Struct, frozen=True, eq=False):
    """What asking for an access token came to.

    Without one, `why` says what each source answered (no secret in it), `refused` that the
    credential itself was turned down, so that asking again changes nothing, and `after` is the
    least number of seconds to wait before it is worth another try.
    """

    access: AccessToken | None
    source: Source = Source.NONE
    why: str = ""
    refused: bool = False
    after: float = 0.0


class ResolverStanding(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants to know of a resolver; holds no secret. Times in Unix seconds.

    `asked`: how often each source was asked in this resolver's life.
    """

    name: str
    tenant: str
    preset: str
    sources: tuple[Source, ...]
    state: str  # good, empty, asking, failing; idle: it does not run
    source: Source = Source.NONE
    fingerprint: str = ""
    expires_at: float | None = None
    renew_at: float | None = None
    overridden: bool = False
    waiting: int = 0
    failures: int = 0
    last_error: str = ""
    asked: dict[str, int] = {}


class Kept(msgspec.Struct, eq=False):
    """A token in memory; `renew` and `until` on the monotonic clock."""

    access: AccessToken
    source: Source
    renew: float
    until: float
    used: float


def keep(
    access: AccessToken, source: Source, *, lead: float, wall: float, now: float, dice: float
) -> Kept:
    """The token as it is kept from `now` (monotonic) = `wall` (Unix) on.

    It is renewed `lead` seconds before its end, a little earlier by `dice` (0 to 1), but never
    in the first part of its life; with `lead` 0 it is not renewed at all.
    """
    life = access.expires_at - wall
    until = now + life - min(MARGIN, life * SHARE / 2)
    early = min(lead, life * SHARE) * (1.0 + SPREAD * dice)
    planned = until - early if math.isfinite(until) else math.inf
    asked = now + max(access.renew_at - wall, 0.0)
    return Kept(access, source, min(planned, asked) if lead else math.inf, until, now)


def token_of(text: str, *, ttl: float, wall: float, life: float | None = None) -> AccessToken | str:
    """The access token that a source gave as `text`, or what is wrong with it (without quoting).

    It ends when the token itself says so (the `exp` of a JWT), else after `life` seconds where
    the source said that, else after `ttl`. `wall` in Unix seconds.
    """
    text = text.strip()
    if not text:
        return "it is empty"
    if len(text) > LONGEST or not text.isascii() or not text.isprintable():
        return "it is not one line of printable ASCII"
    said = _jwt_end(text)
    expires = said if said is not None else wall + (ttl if life is None else life)
    if not expires > wall:
        return "it has expired"
    return AccessToken(Secret(text), wall, math.inf, expires)


class Setbacks:
    """The failures since the last token: for a while the last one is the answer, so that a source
    that is away is not asked by everybody, again and again."""

    def __init__(self) -> None:
        self.count = 0
        self.last = Resolution(None)
        self._until = -math.inf

    def note(self, found: Resolution, now: float, dice: float) -> int:
        """One more; how many there are."""
        silence = min(FIRST_SILENCE * 2.0 ** min(self.count, 10), LONGEST_SILENCE)
        self.count += 1
        self.last = found
        self._until = now + max(silence, min(found.after, LONGEST_SILENCE)) * (0.75 + 0.5 * dice)
        return self.count

    def answer(self, now: float) -> Resolution | None:
        """What to say without asking again."""
        return self.last if now < self._until else None

    def pause(self, dice: float) -> float:
        """Seconds until the next try to renew a token that is still good."""
        grown = FIRST_PAUSE * 2.0 ** min(max(self.count - 1, 0), 10)
        return min(grown, LONGEST_PAUSE) * (0.75 + 0.5 * dice)

    def clear(self) -> None:
        """There is a token again, or somebody wants another try."""
        self.count, self.last, self._until = 0, Resolution(None), -math.inf


class Rejections:
    """The tokens that a provider turned down lately; a source that still has one has none."""

    def __init__(self) -> None:
        self._until: dict[Secret, float] = {}

    def add(self, text: Secret, now: float) -> None:
        """Remember it for a while; the oldest make room."""
        self._until.pop(text, None)
        self._until[text] = now + REMEMBERED
        while len(self._until) > REJECTIONS:
            del self._until[next(iter(self._until))]

    def forgive(self, text: Secret) -> None:
        """Somebody insists on this one."""
        self._until.pop(text, None)

    def holds(self, text: Secret, now: float) -> bool:
        """Whether it was turned down lately."""
        return now < self._until.get(text, -math.inf)


class Shelf:
    """The tokens in memory, by resolver: read by whoever sends, written by the resolvers alone.

    It belongs to no resolver, so the end of one changes nothing for the others.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    def get(self, name: str, now: float) -> Kept | None:
        """The token to use at `now`, and a note that it was used; None if there is none."""
        kept = self._kept.get(name)
        if kept is None or now >= kept.until:
            return None
        kept.used = now
        return kept

    def peek(self, name: str) -> Kept | None:
        """The entry as it is, good or not, for who only looks."""
        return self._kept.get(name)

    def writer(self, name: str) -> Callable[[Kept | None], None]:
        """How the resolver called `name` sets its own entry, and no other."""

        def write(kept: Kept | None) -> None:
            if kept is None:
                self._kept.pop(name, None)
            else:
                self._kept[name] = kept

        return write


class _Claims(msgspec.Struct):
    exp: float | None = None


_claims = msgspec.json.Decoder(_Claims)


def _jwt_end(text: str) -> float | None:
    """The `exp` of a JWT (RFC 7519 §4.1.4), unverified: its signature is the provider's affair."""
    parts = text.split(".")
    if len(parts) != 3:
        return None
    try:
        part = parts[1].encode()
        return _claims.decode(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))).exp
    except (binascii.Error, msgspec.DecodeError, ValueError, RecursionError):
        return None

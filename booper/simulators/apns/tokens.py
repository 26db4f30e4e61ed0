"""Judges provider tokens: the signature once per token, the age and the connection's rules always.

Source: Apple, "Establishing a token-based connection to APNs". A token is good for an hour, is to
be renewed no more than once in 20 minutes, and a connection belongs to one team and one key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jwt

from booper.simulators.apns.reasons import Verdict, refuse

if TYPE_CHECKING:
    from booper.simulators.apns.account import Account, KnownKey

LIFETIME = 3600.0
SKEW = 300.0  # Apple names no figure for clocks that run ahead; five minutes is ours
UPDATE_INTERVAL = 1200.0
_REMEMBERED = 4096


class ProviderToken(NamedTuple):
    """A token whose signature was good, under the header that brought it."""

    authorization: bytes
    known: KnownKey
    issued_at: int


class Standing(NamedTuple):
    """What a connection remembers: its provider token and when that was first seen (wall clock)."""

    token: ProviderToken
    since: float
    revision: int


class TokenJudge:
    """Verifies provider tokens for one account and remembers those that were good."""

    def __init__(self, account: Account, update_interval: float = UPDATE_INTERVAL) -> None:
        self._account = account
        self._update_interval = update_interval
        self._good: dict[bytes, ProviderToken] = {}
        self._revision = account.revision

    def present(
        self, authorization: bytes | None, standing: Standing | None, now: float
    ) -> Verdict | Standing:
        """The connection's new standing, or why the request is refused (its standing then stays).

        `authorization` is the header's value; `standing` is None on a connection that has not
        been accepted yet. A token other than the connection's own is refused as an update too
        early until `update_interval` seconds after the own one was first seen.
        """
        if authorization is None:
            return refuse("MissingProviderToken")
        if (
            standing is not None
            and standing.token.authorization == authorization
            and standing.revision == self._account.revision
        ):
            return _too_old(standing.token, now) or standing
        token = self._verify(authorization)
        if isinstance(token, Verdict):
            return token
        return _too_old(token, now) or self._admit(token, standing, now)

    def _admit(
        self, token: ProviderToken, standing: Standing | None, now: float
    ) -> Verdict | Standing:
        """Apply the rules of the connection to a token that is good in itself."""
        if standing is None:
            return Standing(token, now, self._account.revision)
        if token.known.key.key_id != standing.token.known.key.key_id:
            return refuse("UnrelatedKeyIdInToken")
        if token.known.key.team_id != standing.token.known.key.team_id:
            return refuse("InvalidProviderToken")
        if token.authorization == standing.token.authorization:
            return Standing(token, standing.since, self._account.revision)
        if now - standing.since < self._update_interval:
            return refuse("TooManyProviderTokenUpdates")
        return Standing(token, now, self._account.revision)

    def _verify(self, authorization: bytes) -> ProviderToken | Verdict:
        """The token in `authorization`, its signature checked now or earlier."""
        if self._revision != self._account.revision or len(self._good) > _REMEMBERED:
            self._good.clear()
            self._revision = self._account.revision
        token = self._good.get(authorization)
        if token is None:
            found = _read(authorization, self._account)
            if isinstance(found, Verdict):
                return found
            token = self._good[authorization] = found
        return token


def _too_old(token: ProviderToken, now: float) -> Verdict | None:
    """A refusal if the token was issued more than an hour ago, or too far in the future."""
    if -SKEW <= now - token.issued_at <= LIFETIME:
        return None
    return refuse("ExpiredProviderToken")


def _read(authorization: bytes, account: Account) -> ProviderToken | Verdict:
    """Decode and verify one Authorization header's value."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"bearer" or not encoded.strip():
        return refuse("MissingProviderToken")
    try:
        header = jwt.get_unverified_header(encoded)
        known = account.key(str(header.get("kid")))
        if known is None:
            return refuse("InvalidProviderToken")
        claims = jwt.decode(
            encoded,
            known.public,
            algorithms=["ES256"],
            options={"verify_iat": False, "verify_exp": False, "verify_aud": False},
        )
    except jwt.InvalidTokenError:
        return refuse("InvalidProviderToken")
    issued_at = claims.get("iat")
    if claims.get("iss") != known.key.team_id or type(issued_at) is not int:
        return refuse("InvalidProviderToken")
    if known.key.environment not in (None, account.environment):
        return refuse("BadEnvironmentKeyIdInToken")
    return ProviderToken(authorization, known, issued_at)

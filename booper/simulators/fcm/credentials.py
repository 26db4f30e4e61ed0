"""Judges what a request to Google brings as its bearer, and hands out access tokens.

Two kinds are good: a JWT that the service account signed itself (AIP-4111), and an access token
from the token endpoint, got for a signed JWT (RFC 7523). A signature is checked once, the age
always.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl
from uuid import uuid4

import jwt
import msgspec

from booper.simulators.fcm import errors
from booper.simulators.serving.judging import Response

if TYPE_CHECKING:
    from booper.simulators.fcm.project import Project, ServiceAccount

LIFE = 3600  # seconds at most between a JWT's iat and exp, and of an access token
SKEW = 300.0  # Google names no figure for clocks that run ahead; five minutes is ours
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "https://fcm.googleapis.com/"
TOKEN_AUDIENCE = "https://oauth2.googleapis.com/token"  # noqa: S105  (an address)
SCOPES = frozenset(
    {
        "https://www.googleapis.com/auth/firebase.messaging",
        "https://www.googleapis.com/auth/cloud-platform",
    }
)
_REMEMBERED = 4096


class _Bearer(NamedTuple):
    account: ServiceAccount
    issued_at: float
    expires_at: float


class _Bad(Exception):
    """An assertion that proves nothing; the text says why."""


class Credentials:
    """Knows every access token it issued and every JWT it found good, until a key is revoked."""

    def __init__(self, project: Project, life: int = LIFE) -> None:
        """`life`: seconds that an access token lives."""
        self.project_id = project.project_id
        self._project = project
        self._life = life
        self._good: dict[bytes, _Bearer] = {}
        self._revision = project.revision
        self.exchanges = 0

    def bearer(self, authorization: bytes | None, now: float) -> ServiceAccount | Response:
        """Whose credential it is, or a 401."""
        if authorization is None:
            return errors.unauthenticated(errors.MISSING, "CREDENTIALS_MISSING")
        scheme, _, text = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not text:
            return errors.unauthenticated(errors.MISSING, "CREDENTIALS_MISSING")
        self._forget_revoked()
        known = self._good.get(text)
        if known is None:
            try:
                known = self._read(text)
            except _Bad:
                return errors.unauthenticated(errors.INVALID, "ACCESS_TOKEN_TYPE_UNSUPPORTED")
            self._good[text] = known
        if now >= known.expires_at or known.issued_at > now + SKEW:
            return errors.unauthenticated(errors.INVALID, "ACCESS_TOKEN_EXPIRED")
        return known.account

    def exchange(self, body: bytes, now: float, own: str) -> Response:
        """The token endpoint's answer to a form; `own` is its own address."""
        try:
            form = dict(parse_qsl(body.decode("ascii"), strict_parsing=True))
        except (UnicodeDecodeError, ValueError):
            form = {}
        if form.get("grant_type") != GRANT:
            return errors.oauth("unsupported_grant_type", f"Invalid grant_type: use {GRANT}")
        try:
            account, claims = self._verified(form.get("assertion", "").encode())
            if claims.get("aud") not in (TOKEN_AUDIENCE, own):
                raise _Bad("Invalid JWT: Failed audience check.")
            self._timely(claims, now)
        except _Bad as bad:
            return errors.oauth("invalid_grant", str(bad))
        if not SCOPES & set(str(claims.get("scope", "")).split()):
            return errors.oauth("invalid_scope", "Invalid OAuth scope or ID token audience.")
        self._forget_revoked()
        self.exchanges += 1
        text = f"ya29.{uuid4().hex}"
        self._good[text.encode()] = _Bearer(account, now, now + self._life)
        answer = {"access_token": text, "expires_in": self._life - 1, "token_type": "Bearer"}
        return Response(200, (errors.JSON,), msgspec.json.encode(answer))

    def expire(self) -> None:
        """Let every credential seen so far be none any more; signed JWTs are read anew."""
        self._good.clear()

    def _read(self, text: bytes) -> _Bearer:
        """A JWT that is its own access token."""
        account, claims = self._verified(text)
        asked = set(str(claims.get("scope", "")).split())
        if claims.get("sub") != account.email or not (
            claims.get("aud") == AUDIENCE or SCOPES & asked
        ):
            raise _Bad("neither audience nor scope")
        issued, expires = self._timely(claims, None)
        return _Bearer(account, issued, expires)

    def _verified(self, text: bytes) -> tuple[ServiceAccount, dict[str, Any]]:
        """The account whose signature it is, and what it signed."""
        try:
            key_id = jwt.get_unverified_header(text).get("kid")
            known = self._project.account(str(key_id))
            if known is None:
                raise _Bad("Invalid JWT Signature.")
            claims: dict[str, Any] = jwt.decode(
                text,
                known.public,
                algorithms=["RS256"],
                options={"verify_iat": False, "verify_exp": False, "verify_aud": False},
            )
        except jwt.InvalidTokenError:
            raise _Bad("Invalid JWT Signature.") from None
        if claims.get("iss") != known.account.email:
            raise _Bad("Invalid grant: account not found")
        return known.account, claims

    def _timely(self, claims: dict[str, Any], now: float | None) -> tuple[int, int]:
        """Issued and expiring when, an hour at most in between; with `now`: at this moment."""
        issued, expires = claims.get("iat"), claims.get("exp")
        if type(issued) is not int or type(expires) is not int or not 0 < expires - issued <= LIFE:
            raise _Bad(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable"
                " timeframe. Check your iat and exp values in the JWT claim."
            )
        if now is not None and not issued - SKEW <= now < expires:
            raise _Bad("Invalid JWT: Token must be in a reasonable timeframe.")
        return issued, expires

    def _forget_revoked(self) -> None:
        if self._revision != self._project.revision or len(self._good) > _REMEMBERED:
            self._good.clear()
            self._revision = self._project.revision

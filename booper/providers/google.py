"""Google's authorisation server: a service account's signature for an access token.

Sources: RFC 7523 §2.1 (the JWT bearer grant), RFC 6749 §5 (its answers); Google, "Using OAuth 2.0
for server to server applications". The private key never leaves: only a signature does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import msgspec

from booper.domain.access import AccessToken, Resolution, token_of
from booper.domain.errors import Misconfigured
from booper.domain.redact import scrub
from booper.domain.secret import Secret, hidden
from booper.providers import jwt
from booper.providers.body import decoded
from booper.providers.retry_after import retry_after
from booper.wire import Lost, Outlet, Request

if TYPE_CHECKING:
    from booper.wire import Answer

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
HOST = ("oauth2.googleapis.com", 443)
MESSAGING = "https://www.googleapis.com/auth/firebase.messaging"
BEARER_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE = 3600  # seconds an assertion may be good for; Google takes no longer
_WORDS = 200  # characters of the server's own words that are shown

# The server means us, and will mean us again: RFC 6749 §5.2, and what Google adds.
REFUSALS = frozenset(
    {"invalid_grant", "invalid_client", "unauthorized_client", "invalid_scope", "access_denied"}
    | {"unsupported_grant_type", "invalid_request", "admin_policy_enforced", "org_internal"}
)


class ServiceAccount(msgspec.Struct, frozen=True):
    """The part of a service account's JSON that signs."""

    client_email: str
    private_key: Secret
    private_key_id: str = ""
    project_id: str = ""
    token_uri: str = TOKEN_URL


def account(credentials: Secret, owner: str) -> ServiceAccount:
    """The service account in a JSON text; Misconfigured without quoting any of it."""
    try:
        return msgspec.json.decode(credentials.reveal(), type=ServiceAccount, dec_hook=hidden)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Misconfigured(
            f"{owner}: credentials is not a service account's JSON.", code="invalid_credentials"
        ) from None


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: float = LIFE
    token_type: str = "Bearer"  # noqa: S105 - a kind of token


class _Refusal(msgspec.Struct):
    error: str = ""
    error_description: str = ""


_granted = msgspec.json.Decoder(_Granted, strict=False)
_refusal = msgspec.json.Decoder(_Refusal)


class GoogleGrant:
    """The grant of one service account; making it proves the key by a trial signature.

    The server is the account's own `token_uri`. Where the account is a tenant's that address came
    from outside, so the outlet is guarded; Google's own server is known.
    """

    def __init__(
        self,
        owner: str,
        account: ServiceAccount,
        scope: str,
        *,
        guarded: bool,
        ca_file: str | None = None,
        proxy: Secret | None = None,
    ) -> None:
        self._account = account
        self._scope = scope
        self._key = jwt.rs256_key(account.private_key, owner)
        try:
            parts = urlsplit(account.token_uri)
            good = parts.scheme == "https" and parts.hostname and parts.username is None
            good = good and (parts.port or 443) > 0 and account.token_uri.isascii()
        except ValueError:  # an unfinished [address], or no port number
            good = False
        if not good:
            raise Misconfigured(f"{owner}: token_uri must be https://….", code="invalid_url")
        self.outlet = Outlet(
            ca_file=ca_file, proxy=proxy, max_connections=2, guarded=guarded, trusted=(HOST,)
        )

    def request(self, now: float) -> Request:
        issued = int(now)
        claims = {
            "iss": self._account.client_email,
            "scope": self._scope,
            "aud": self._account.token_uri,
            "iat": issued,
            "exp": issued + LIFE,
        }
        assertion = jwt.rs256(self._key, claims, self._account.private_key_id).reveal()
        body = urlencode({"grant_type": BEARER_GRANT, "assertion": assertion})
        headers = (
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Accept", "application/json"),
        )
        return Request("POST", self._account.token_uri, headers, body.encode())

    def read(self, answer: Answer, now: float) -> AccessToken | Resolution:
        if isinstance(answer, Lost):
            return Resolution(None, why=f"the authorisation server: {answer.reason}", after=5.0)
        if answer.status == 200:
            return _read_token(answer.body, now)
        error = decoded(_refusal, answer.body) or _Refusal()
        said = f"{error.error} {error.error_description}".strip()
        words = "".join(c for c in scrub(said[:_WORDS]) if c.isprintable())
        why = f"the authorisation server: HTTP {answer.status} {words}".rstrip()
        refused = answer.status in (400, 401, 403) and error.error in REFUSALS
        return Resolution(None, why=why, refused=refused, after=retry_after(answer, 10.0))


def _read_token(body: bytes, now: float) -> AccessToken | Resolution:
    granted = decoded(_granted, body)
    if granted is None or granted.token_type.lower() != "bearer":
        return Resolution(None, why="the authorisation server's answer is no bearer token")
    found: Any = token_of(granted.access_token, ttl=LIFE, wall=now, life=granted.expires_in)
    if isinstance(found, str):
        return Resolution(None, why=f"the authorisation server's token: {found}")
    access: AccessToken = found
    return access

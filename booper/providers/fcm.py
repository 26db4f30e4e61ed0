"""FCM: Google's push service, HTTP v1. Only the target inside the body changes.

Sources: Firebase, "REST Resource: projects.messages"; Google, AIP-4111 (self-signed JWT): the
service account's own signature is the access token, so no other server has to be asked for one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from booper.domain.access import Source
from booper.domain.errors import Misconfigured
from booper.domain.secret import Secret, hidden
from booper.providers import fcm_answers, fcm_message, google, jwt
from booper.providers.endpoint import https_endpoint
from booper.providers.fcm_target import PREFIXES, device_token
from booper.providers.google import MESSAGING
from booper.providers.provider import AccessToken, Occasion
from booper.providers.recipes import Recipe
from booper.wire import Stamp, Template

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from booper.domain.content import Content
    from booper.domain.delivery import Target
    from booper.domain.outcome import Outcome

LIFE = 3600  # seconds a signature is good for; Google takes no longer
RENEW = 3000.0
URL = "https://fcm.googleapis.com"
_OPENINGS = frozenset(prefix[:4] for prefix in PREFIXES)  # cheaper to look up than startswith


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An instance's settings. `credentials` is the service account's JSON as a text.

    `auth` "jwt" sends its own signature as the access token, "oauth" asks the account's
    `token_uri` for one. With `resolver`, a resolver of the operator's brings it, and no
    credentials are needed. With `validate_only` Google checks every message and delivers none.
    """

    credentials: Secret | None = None
    auth: Literal["jwt", "oauth"] = "jwt"
    resolver: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    project_id: Annotated[str, Meta(pattern=r"^[a-z0-9:.-]{1,63}\Z")] | None = None
    validate_only: bool = False
    url: str = URL
    ca_file: str | None = None
    proxy: Secret | None = None
    max_connections: Annotated[int, Meta(ge=1, le=100)] = 4


class Fcm:
    """The provider."""

    name = "fcm"
    config: type[msgspec.Struct] = Config
    nobody: str | None = "booper-verify-nobody"

    def device_token(self, text: str) -> str:
        return device_token(text)

    def codec(self, name: str, table: dict[str, object]) -> FcmCodec:
        owner = f"instances.{name}"
        try:
            config = msgspec.convert(table, Config, strict=False, dec_hook=hidden)
        except msgspec.ValidationError as error:
            raise Misconfigured(f"{owner}: {error}.", code="invalid_settings") from None
        if config.credentials is None and config.resolver is None:
            raise Misconfigured(f"{owner}: missing credentials.", code="missing_settings")
        return FcmCodec(owner, config)


class FcmCodec:
    """One instance's codec; making it proves the key by a trial signature."""

    def __init__(self, owner: str, config: Config) -> None:
        self._account: google.ServiceAccount | None = None
        self.recipe: Recipe | str | None = config.resolver
        if config.credentials is not None:
            self._account = google.account(config.credentials, owner)
            self._key = jwt.rs256_key(self._account.private_key, owner)
            if config.auth == "oauth" and config.resolver is None:
                self.recipe = _oauth(owner, config, self._account)
        project = config.project_id or (self._account.project_id if self._account else "")
        if not project:
            raise Misconfigured(f"{owner}: missing project_id.", code="missing_settings")
        self.endpoint = https_endpoint(
            owner,
            config.url,
            ca_file=config.ca_file,
            proxy=config.proxy,
            max_connections=config.max_connections,
        )
        self._validate_only = config.validate_only
        self._authority = f"{self.endpoint.host}:{self.endpoint.port}".encode()
        self._path = f"/v1/projects/{project}/messages:send".encode()

    def mint(self, now: float) -> AccessToken:
        if self._account is None:
            raise TypeError("this codec's access tokens come from a resolver")
        issued = int(now)
        own = self._account.client_email
        claims = {"iss": own, "sub": own, "iat": issued, "exp": issued + LIFE, "scope": MESSAGING}
        token = jwt.rs256(self._key, claims, self._account.private_key_id)
        return AccessToken(token, now, now + RENEW)

    def renewable(self, refusal: Outcome, age: float) -> bool:
        return refusal.status == 401 and age >= 60.0

    def compile(
        self, content: Content, occasion: Occasion, access: AccessToken
    ) -> CompiledFcm | Outcome:
        body = fcm_message.request(content, occasion, validate_only=self._validate_only)
        refused = fcm_message.refusal(content, body)
        if refused is not None:
            return refused
        headers = (
            (b"authorization", b"Bearer " + access.text.reveal().encode()),
            (b"content-type", b"application/json"),
        )
        template = Template(self._authority, self._path, headers)
        said = body.pop("message")
        refuse = fcm_message.refuse_topics if fcm_message.too_big_for_topics(said) else None
        message = msgspec.json.encode(said)
        return CompiledFcm(template, message, msgspec.json.encode(body), refuse)

    read = staticmethod(fcm_answers.read)  # called for every push: no frame in between


def _oauth(owner: str, config: Config, account: google.ServiceAccount) -> Recipe:
    """How an access token is granted to this very account; another account is another resolver's.

    The address came with the account, perhaps from a tenant: it is guarded.
    """
    grant = google.GoogleGrant(
        owner, account, MESSAGING, guarded=True, ca_file=config.ca_file, proxy=config.proxy
    )
    told = "\n".join(
        (account.client_email, account.token_uri, account.private_key.reveal(), account.project_id)
    )
    mark = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Recipe(
        name=f"{owner}@{mark}",
        preset="google",
        sources=(Source.STORE, Source.GRANT),
        grant=grant,
    )


class CompiledFcm:
    """One notification for any number of Android, iOS or web devices behind Firebase, or topics."""

    __slots__ = ("_tail", "refuse", "template")

    def __init__(
        self,
        template: Template,
        message: bytes,
        rest: bytes,
        refuse: Callable[[Target], Outcome | None] | None = None,
    ) -> None:
        """`message`: what stands beside the target; `rest`: what stands beside the message."""
        self.template = template
        self.refuse = refuse
        between = b'",' if len(message) > 2 else b'"'
        self._tail = between + message[1:] + (b"," if len(rest) > 2 else b"") + rest[1:]

    def stamps(self, targets: Sequence[Target]) -> list[Stamp]:
        """The target goes first into the message: no spelling of one needs escaping."""
        tail = self._tail
        return [
            (b"", (), b'{"message":{"token":"%b%b' % (token.encode(), tail))
            if token[:4] not in _OPENINGS
            else (b"", (), b'{"message":{"%b":"%b%b' % (*_named(token), tail))
            for token in [target.token for target in targets]
        ]


def _named(token: str) -> tuple[bytes, bytes]:
    """The field that a target belongs to, and its value there."""
    if not token.startswith(PREFIXES):
        return b"token", token.encode()
    field, _, value = token.partition(":")
    return field.encode(), value.encode()

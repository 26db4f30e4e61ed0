"""FCM: Google's push service, HTTP v1. Only the registration token inside the body changes.

Sources: Firebase, "REST Resource: projects.messages"; Google, AIP-4111 (self-signed JWT): the
service account's own signature is the access token, so no other server has to be asked for one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from booper.domain.content import Content, Priority
from booper.domain.errors import Invalid, Misconfigured
from booper.domain.outcome import Kind, Outcome
from booper.domain.secret import Secret, hidden
from booper.providers import fcm_answers, jwt
from booper.providers.endpoint import https_endpoint
from booper.providers.provider import AccessToken, Occasion
from booper.wire import Stamp, Template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.delivery import Target

LIMIT = 4096  # bytes of notification and data
LIFE = 3600  # seconds a signature is good for; Google takes no longer
RENEW = 3000.0
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
URL = "https://fcm.googleapis.com"
_DEVICE_TOKEN = re.compile(r"[A-Za-z0-9_:.-]{16,4096}")
_RESERVED = re.compile(r"from|message_type|google.*|gcm.*")


class ServiceAccount(msgspec.Struct, frozen=True):
    """The part of a service account's JSON that signs."""

    client_email: str
    private_key: Secret
    private_key_id: str = ""
    project_id: str = ""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An instance's settings. `credentials` is the service account's JSON as a text."""

    credentials: Secret
    project_id: Annotated[str, Meta(pattern=r"^[a-z0-9:.-]{1,63}\Z")] | None = None
    url: str = URL
    ca_file: str | None = None
    proxy: str | None = None
    max_connections: Annotated[int, Meta(ge=1, le=100)] = 4


class Fcm:
    """The provider."""

    name = "fcm"

    def device_token(self, text: str) -> str:
        if not _DEVICE_TOKEN.fullmatch(text):
            raise Invalid(
                "An FCM registration token has 16 to 4096 letters, digits and _ : . -",
                code="invalid_device_token",
                pointer="/device_token",
            )
        return text

    def codec(self, name: str, table: dict[str, object]) -> FcmCodec:
        owner = f"instances.{name}"
        if "credentials" not in table:
            raise Misconfigured(f"{owner}: missing credentials.", code="missing_settings")
        try:
            config = msgspec.convert(table, Config, strict=False, dec_hook=hidden)
        except msgspec.ValidationError as error:
            raise Misconfigured(f"{owner}: {error}.", code="invalid_settings") from None
        try:
            text = config.credentials.reveal()
            account = msgspec.json.decode(text, type=ServiceAccount, dec_hook=hidden)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise Misconfigured(
                f"{owner}: credentials is not a service account's JSON.", code="bad_credentials"
            ) from None
        return FcmCodec(owner, config, account)


class FcmCodec:
    """One instance's codec; making it proves the key by a trial signature."""

    def __init__(self, owner: str, config: Config, account: ServiceAccount) -> None:
        project = config.project_id or account.project_id
        if not project:
            raise Misconfigured(f"{owner}: missing project_id.", code="missing_settings")
        self._account = account
        self._key = jwt.rs256_key(account.private_key, owner)
        self.endpoint = https_endpoint(
            owner,
            config.url,
            ca_file=config.ca_file,
            proxy=config.proxy,
            max_connections=config.max_connections,
        )
        self._authority = f"{self.endpoint.host}:{self.endpoint.port}".encode()
        self._path = f"/v1/projects/{project}/messages:send".encode()

    def mint(self, now: float) -> AccessToken:
        issued = int(now)
        own = self._account.client_email
        claims = {"iss": own, "sub": own, "iat": issued, "exp": issued + LIFE, "scope": SCOPE}
        token = jwt.rs256(self._key, claims, self._account.private_key_id)
        return AccessToken(token, now, now + RENEW)

    def renewable(self, refusal: Outcome, age: float) -> bool:
        return refusal.status == 401 and age >= 60.0

    def compile(
        self, content: Content, occasion: Occasion, access: AccessToken
    ) -> CompiledFcm | Outcome:
        reserved = sorted(key for key in content.data if _RESERVED.fullmatch(key))
        if reserved:
            return Outcome(Kind.FAILED, 400, f"FCM keeps the data key {reserved[0]!r} to itself")
        rest = message(content, occasion)
        said = {key: rest[key] for key in ("notification", "data") if key in rest}
        size = len(msgspec.json.encode(said))
        if size > LIMIT:
            return Outcome(
                Kind.FAILED, 413, f"notification and data have {size} bytes, FCM takes {LIMIT}"
            )
        headers = (
            (b"authorization", b"Bearer " + access.text.reveal().encode()),
            (b"content-type", b"application/json"),
        )
        template = Template(self._authority, self._path, headers)
        return CompiledFcm(template, msgspec.json.encode(rest))

    read = staticmethod(fcm_answers.read)  # called for every push: no frame in between


class CompiledFcm:
    """One notification for any number of Android, iOS or web devices behind Firebase."""

    __slots__ = ("_tail", "template")

    def __init__(self, template: Template, message: bytes) -> None:
        self.template = template
        self._tail = b'",' + message[1:] + b"}"

    def stamps(self, targets: Sequence[Target]) -> list[Stamp]:
        """The registration token goes first into the message: its alphabet needs no escaping."""
        tail = self._tail
        return [
            (b"", (), b'{"message":{"token":"%b%b' % (target.token.encode(), tail))
            for target in targets
        ]


def message(content: Content, occasion: Occasion) -> dict[str, Any]:
    """The message without its target, as Firebase wants it; data values are texts."""
    notification = {
        key: value for key in ("title", "body", "image") if (value := getattr(content, key))
    }
    data = {key: _text(value) for key, value in content.data.items()}
    if content.url:
        data.setdefault("url", content.url)
    android: dict[str, Any] = {
        "priority": "HIGH" if content.priority is Priority.HIGH else "NORMAL",
        "ttl": f"{content.ttl}s",
        # A push that had to be sent twice replaces itself.
        "collapse_key": content.collapse_key or occasion.id,
    }
    shown: dict[str, Any] = {}
    if content.sound:
        shown["sound"] = content.sound
    if content.badge is not None:
        shown["notification_count"] = content.badge
    if notification:
        shown["tag"] = content.collapse_key or occasion.id
        android["notification"] = shown
    said: dict[str, Any] = {"android": android}
    if notification:
        said["notification"] = notification
    if data:
        said["data"] = data
    return said


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()

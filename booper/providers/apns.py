"""APNs: Apple's push service. One template per notification; only the path and the id change.

Sources: Apple, "Sending notification requests to APNs", "Generating a remote notification",
"Establishing a token-based connection to APNs".
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from booper.domain.content import Content, Priority
from booper.domain.errors import Invalid, Misconfigured
from booper.domain.outcome import Kind, Outcome
from booper.domain.secret import Secret, hidden
from booper.providers import apns_answers, jwt
from booper.providers.endpoint import https_endpoint
from booper.providers.provider import AccessToken, Occasion
from booper.wire import Stamp, Template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.delivery import Target

LIMIT = 4096  # bytes of payload
RENEW = 3000.0  # seconds a provider token is used: Apple wants 20 to 60 minutes
FRESH = 1200.0
_DEVICE_TOKEN = re.compile(r"(?:[0-9a-fA-F]{2}){32,256}")
_TEN = r"^[A-Z0-9]{10}\Z"


class Environment(StrEnum):
    """Which of Apple's two worlds a device token belongs to."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"


_HOSTS = {
    Environment.PRODUCTION: "api.push.apple.com",
    Environment.SANDBOX: "api.sandbox.push.apple.com",
}


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An instance's settings. `url` and `ca_file` point it at a simulator or a private relay."""

    key_id: Annotated[str, Meta(pattern=_TEN)]
    team_id: Annotated[str, Meta(pattern=_TEN)]
    topic: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{1,200}\Z")]
    private_key: Secret
    environment: Environment = Environment.PRODUCTION
    url: str | None = None
    ca_file: str | None = None
    proxy: str | None = None
    max_connections: Annotated[int, Meta(ge=1, le=100)] = 4


class Apns:
    """The provider."""

    name = "apns"

    def device_token(self, text: str) -> str:
        if not _DEVICE_TOKEN.fullmatch(text):
            raise Invalid(
                "An APNs device token has 64 to 512 hexadecimal digits.",
                code="invalid_device_token",
                pointer="/device_token",
            )
        return text.lower()

    def codec(self, name: str, table: dict[str, object]) -> ApnsCodec:
        owner = f"instances.{name}"
        missing = sorted({"key_id", "team_id", "topic", "private_key"} - table.keys())
        if missing:
            raise Misconfigured(f"{owner}: missing {', '.join(missing)}.", code="missing_settings")
        try:
            # Not strict: from the environment numbers come as texts.
            config = msgspec.convert(table, Config, strict=False, dec_hook=hidden)
        except msgspec.ValidationError as error:
            raise Misconfigured(f"{owner}: {error}.", code="invalid_settings") from None
        return ApnsCodec(owner, config)


class ApnsCodec:
    """One instance's codec; making it proves the key by a trial signature."""

    def __init__(self, owner: str, config: Config) -> None:
        self._config = config
        self._key = jwt.es256_key(config.private_key, owner)
        self.endpoint = https_endpoint(
            owner,
            config.url or f"https://{_HOSTS[config.environment]}",
            ca_file=config.ca_file,
            proxy=config.proxy,
            max_connections=config.max_connections,
            one_stream_start=True,
        )
        self._authority = f"{self.endpoint.host}:{self.endpoint.port}".encode()

    def mint(self, now: float) -> AccessToken:
        claims = {"iss": self._config.team_id, "iat": int(now)}
        return AccessToken(jwt.es256(self._key, claims, self._config.key_id), now, now + RENEW)

    def renewable(self, refusal: Outcome, age: float) -> bool:
        """Apple counts new tokens: one that is young would only be refused again, and 429 added."""
        return refusal.reason == "ExpiredProviderToken" or age >= FRESH

    def compile(
        self, content: Content, occasion: Occasion, access: AccessToken
    ) -> CompiledApns | Outcome:
        said = payload(content)
        body = msgspec.json.encode(said)
        if len(body) > LIMIT:
            reason = f"the payload has {len(body)} bytes, APNs takes {LIMIT}"
            return Outcome(Kind.FAILED, 413, reason)
        visible = "content-available" not in said["aps"]
        urgent = visible and content.priority is Priority.HIGH
        expires = int(occasion.created_at + content.ttl) if content.ttl else 0
        headers = [
            (b"authorization", b"bearer " + access.text.reveal().encode()),
            (b"apns-topic", self._config.topic.encode()),
            (b"apns-push-type", b"alert" if visible else b"background"),
            (b"apns-priority", b"10" if urgent else b"5"),
            (b"apns-expiration", str(expires).encode()),
        ]
        if visible:
            # A push that had to be sent twice replaces itself on the screen.
            headers.append((b"apns-collapse-id", (content.collapse_key or occasion.id).encode()))
        template = Template(self._authority, b"/3/device/", tuple(headers), stamped=(b"apns-id",))
        return CompiledApns(template, occasion.id, body)

    read = staticmethod(apns_answers.read)  # called for every push: no frame in between


class CompiledApns:
    """One notification for any number of Apple devices."""

    __slots__ = ("_body", "_push_id", "template")

    def __init__(self, template: Template, notification_id: str, body: bytes) -> None:
        self.template = template
        self._push_id = notification_id[:24].replace("%", "%%").encode() + b"%012x"
        self._body = body

    def stamps(self, targets: Sequence[Target]) -> list[Stamp]:
        """The apns-id is the notification's id with the device's number at its end: the same in
        every try, so that a double can be recognised, and readable in a provider's log."""
        push_id, body = self._push_id, self._body
        return [(target.token.encode(), (push_id % target.device,), body) for target in targets]


def payload(content: Content) -> dict[str, Any]:
    """The JSON that Apple wants; `data` stands beside `aps` and can never replace it.

    With nothing to show, no badge and no sound it is a background push: Apple wants those three
    absent then, and `content-available` present only then.
    """
    aps: dict[str, Any] = {}
    alert = {
        key: value for key in ("title", "subtitle", "body") if (value := getattr(content, key))
    }
    if alert:
        aps["alert"] = alert
    if sound := content.sound or ("default" if alert else None):
        aps["sound"] = sound
    if content.badge is not None:
        aps["badge"] = content.badge
    if not aps:
        aps["content-available"] = 1
    if content.category:
        aps["category"] = content.category
    if content.thread:
        aps["thread-id"] = content.thread
    if content.interruption:
        aps["interruption-level"] = content.interruption.value
    extra = {key: value for key in ("image", "url") if (value := getattr(content, key))}
    if "image" in extra:
        aps["mutable-content"] = 1
    return {**extra, **content.data, "aps": aps}

"""APNs: Apple's push service. One template per notification; only the path and the id change.

An instance proves itself by a key (a provider token with each push) or by a certificate (in TLS).
Sources: Apple, "Sending notification requests to APNs", "Establishing a token-based connection to
APNs", "Establishing a certificate-based connection to APNs".
"""

from __future__ import annotations

import math
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from booper.domain.content import Content, Form, Priority
from booper.domain.errors import Invalid, Misconfigured
from booper.domain.outcome import Kind, Outcome
from booper.domain.secret import Secret, hidden
from booper.providers import apns_answers, certificate, jwt
from booper.providers.apns_payload import payload
from booper.providers.endpoint import https_endpoint
from booper.providers.provider import AccessToken, Occasion
from booper.wire import ClientCertificate, Stamp, Template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric import ec

    from booper.domain.delivery import Target

LIMIT = 4096  # bytes of payload
VOIP_LIMIT = 5120
RENEW = 3000.0  # seconds a provider token is used: Apple wants 20 to 60 minutes
FRESH = 1200.0
_DEVICE_TOKEN = re.compile(r"(?:[0-9a-fA-F]{2}){32,256}")
_BY_KEY = {"key_id", "team_id", "private_key"}
_TEN = r"^[A-Z0-9]{10}\Z"


class Environment(StrEnum):
    """Which of Apple's two worlds a device token belongs to."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"


_HOSTS = {
    Environment.PRODUCTION: "api.push.apple.com",
    Environment.SANDBOX: "api.sandbox.push.apple.com",
}


# What Apple calls each form, and what the topic then ends with.
_FORMS = {
    Form.ALERT: (b"alert", b""),
    Form.BACKGROUND: (b"background", b""),
    Form.VOIP: (b"voip", b".voip"),
    Form.LIVE_ACTIVITY: (b"liveactivity", b".push-type.liveactivity"),
}


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An instance's settings. `url` and `ca_file` point it at a simulator or a private relay.

    With a `certificate` there are no ids; its private key may stand in the same text.
    """

    topic: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{1,200}\Z")]
    key_id: Annotated[str, Meta(pattern=_TEN)] | None = None
    team_id: Annotated[str, Meta(pattern=_TEN)] | None = None
    private_key: Secret | None = None
    certificate: Secret | None = None
    environment: Environment = Environment.PRODUCTION
    url: str | None = None
    ca_file: str | None = None
    proxy: Secret | None = None
    max_connections: Annotated[int, Meta(ge=1, le=100)] = 4


class Apns:
    """The provider."""

    name = "apns"
    config: type[msgspec.Struct] = Config
    nobody: str | None = "00"  # too short to be anybody's

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
        needed = {"topic"} if "certificate" in table else _BY_KEY | {"topic"}
        missing = sorted(needed - table.keys())
        if missing:
            raise Misconfigured(f"{owner}: missing {', '.join(missing)}.", code="missing_settings")
        try:
            # Not strict: from the environment numbers come as texts.
            config = msgspec.convert(table, Config, strict=False, dec_hook=hidden)
        except msgspec.ValidationError as error:
            raise Misconfigured(f"{owner}: {error}.", code="invalid_settings") from None
        if config.certificate is not None and (config.key_id or config.team_id):
            raise Misconfigured(
                f"{owner}: either a certificate, or key_id and team_id.", code="two_credentials"
            )
        return ApnsCodec(owner, config)


class ApnsCodec:
    """One instance's codec; making it proves the key by a trial signature, or the certificate."""

    def __init__(self, owner: str, config: Config) -> None:
        self._config = config
        self._key: ec.EllipticCurvePrivateKey | None = None
        shown = None
        if config.certificate is not None:
            shown = _proved(owner, config, config.certificate)
        elif config.private_key is not None:
            self._key = jwt.es256_key(config.private_key, owner)
        self.endpoint = https_endpoint(
            owner,
            config.url or f"https://{_HOSTS[config.environment]}",
            ca_file=config.ca_file,
            proxy=config.proxy,
            max_connections=config.max_connections,
            one_stream_start=self._key is not None,
            certificate=shown,
        )
        self._authority = f"{self.endpoint.host}:{self.endpoint.port}".encode()

    def mint(self, now: float) -> AccessToken:
        """A provider token; with a certificate an empty one for good, which is never shown."""
        if self._key is None or self._config.key_id is None:
            return AccessToken(Secret(""), now, math.inf)
        claims = {"iss": self._config.team_id, "iat": int(now)}
        return AccessToken(jwt.es256(self._key, claims, self._config.key_id), now, now + RENEW)

    def renewable(self, refusal: Outcome, age: float) -> bool:
        """Apple counts new tokens: one that is young would only be refused again, and 429 added."""
        if self._key is None or refusal.reason == "TooManyProviderTokenUpdates":
            return False
        return refusal.reason == "ExpiredProviderToken" or age >= FRESH

    def compile(
        self, content: Content, occasion: Occasion, access: AccessToken
    ) -> CompiledApns | Outcome:
        said, form = payload(content, occasion)
        body = msgspec.json.encode(said)
        limit = VOIP_LIMIT if form is Form.VOIP else LIMIT
        if len(body) > limit:
            reason = f"the payload has {len(body)} bytes, APNs takes {limit}"
            return Outcome(Kind.FAILED, 413, reason)
        if form is Form.LIVE_ACTIVITY and self._key is None:
            return Outcome(Kind.FAILED, 403, "Apple takes live activities by key, not certificate")
        push_type, suffix = _FORMS[form]
        urgent = content.priority is Priority.HIGH and form is not Form.BACKGROUND
        expires = int(occasion.created_at + content.ttl) if content.ttl else 0
        headers = [
            (b"apns-topic", self._config.topic.encode() + suffix),
            (b"apns-push-type", push_type),
            (b"apns-priority", b"10" if urgent else b"5"),
            (b"apns-expiration", str(expires).encode()),
        ]
        if self._key is not None:
            headers.insert(0, (b"authorization", b"bearer " + access.text.reveal().encode()))
        if form is Form.ALERT:
            # A push that had to be sent twice replaces itself on the screen.
            headers.append((b"apns-collapse-id", (content.collapse_key or occasion.id).encode()))
        template = Template(self._authority, b"/3/device/", tuple(headers), stamped=(b"apns-id",))
        return CompiledApns(template, occasion.id, body)

    read = staticmethod(apns_answers.read)  # called for every push: no frame in between


class CompiledApns:
    """One notification for any number of Apple devices."""

    __slots__ = ("_body", "_push_id", "template")
    refuse = None

    def __init__(self, template: Template, notification_id: str, body: bytes) -> None:
        self.template = template
        self._push_id = notification_id[:24].replace("%", "%%").encode() + b"%012x"
        self._body = body

    def stamps(self, targets: Sequence[Target]) -> list[Stamp]:
        """The apns-id is the notification's id with the device's number at its end: the same in
        every try, so that a double can be recognised, and readable in a provider's log."""
        push_id, body = self._push_id, self._body
        return [(target.token.encode(), (push_id % target.device,), body) for target in targets]


def _proved(owner: str, config: Config, chain: Secret) -> ClientCertificate:
    """The certificate, if it was made for the instance's topic and environment."""
    proved = certificate.prove(owner, chain, config.private_key)
    bundles = {name.removesuffix(".voip") for name in proved.topics}
    if bundles and config.topic not in bundles | proved.topics:
        raise Misconfigured(
            f"{owner}: the certificate is not for the topic {config.topic}.",
            code="certificate_topic_mismatch",
        )
    sandbox = config.environment is Environment.SANDBOX
    if not (proved.sandbox if sandbox else proved.production):
        raise Misconfigured(
            f"{owner}: the certificate is not for the {config.environment.value} environment.",
            code="certificate_environment_mismatch",
        )
    return proved.client

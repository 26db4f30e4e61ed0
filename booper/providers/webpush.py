"""Web Push: to browsers, installed web apps and UnifiedPush, at any push service there is.

RFC 8030 (the request), RFC 8291 (the encryption), RFC 8292 (who we are). Each device has its own
URL and its own keys, so each is one request, encrypted for it alone.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from booper.domain.content import Content, Form, Interruption, Priority
from booper.domain.errors import Invalid, Misconfigured
from booper.domain.holds import origin_of
from booper.domain.outcome import Kind, Outcome
from booper.domain.secret import Secret, hidden
from booper.providers import base64url, ece, push_subscription, vapid, webpush_answers
from booper.providers.override import merged
from booper.providers.provider import AccessToken, Occasion, Parcel, Unsendable
from booper.providers.webpush_proof import Proof
from booper.wire import Outlet, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from booper.domain.delivery import Target
    from booper.wire import Answer

DECLARATIVE = 8030  # the mark of a Declarative Web Push message
# Chrome and its like, Safari, Firefox, Edge.
KNOWN = (
    "fcm.googleapis.com",
    "*.push.apple.com",
    "*.push.services.mozilla.com",
    "*.notify.windows.com",
)
FRESH = 60.0  # seconds in which a new VAPID token would say just the same
_UNREADABLE = Outcome(Kind.FAILED, 0, "the stored push subscription cannot be read", local=True)
_ELSEWHERE = Outcome(Kind.FAILED, 0, "the endpoint's host is not allowed", local=True)
_INACTIVE = Outcome(Kind.FAILED, 0, "Web Push has no live activities", local=True)
_MEMBERS = {
    "title": "title",
    "body": "body",
    "url": "navigate",
    "image": "image",
    "data": "data",
    "subtitle": "subtitle",
    "category": "category",
    "thread": "thread",
    "title_loc_key": "title_loc_key",
    "title_loc_args": "title_loc_args",
    "subtitle_loc_key": "subtitle_loc_key",
    "subtitle_loc_args": "subtitle_loc_args",
    "loc_key": "loc_key",
    "loc_args": "loc_args",
}
_Pattern = Annotated[str, Meta(pattern=r"^[a-z0-9.*?-]{1,253}\Z")]


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An instance's settings. `allowed_endpoints` are patterns of hosts; none: any public host."""

    private_key: Secret
    subject: str
    allowed_endpoints: tuple[_Pattern, ...] = ()
    ca_file: str | None = None
    proxy: Secret | None = None
    max_connections: Annotated[int, Meta(ge=1, le=100)] = 16


class WebPush:
    """The provider. `once` draws what encrypts a message and is never used again."""

    name = "webpush"
    config: type[msgspec.Struct] = Config
    nobody: str | None = None

    def __init__(self, once: Callable[[], ece.Once] = ece.once) -> None:
        self._once = once

    def device_token(self, text: str) -> str:
        try:
            return push_subscription.spelled(push_subscription.read(text))
        except Invalid as error:
            pointer = f"/device_token{error.pointer}"
            raise Invalid(error.detail, code=error.code, pointer=pointer) from None

    def published(self, settings: Mapping[str, object]) -> dict[str, str]:
        key = vapid.private_key(Secret(str(settings.get("private_key"))), "settings")
        return {"public_key": base64url.encoded(ece.public_point(key))}

    def address(self, device_token: str) -> tuple[str, str]:
        return push_subscription.read(device_token).endpoint, "/endpoint"

    def codec(self, name: str, table: dict[str, object]) -> WebPushCodec:
        owner = f"instances.{name}"
        missing = sorted({"private_key", "subject"} - table.keys())
        if missing:
            raise Misconfigured(f"{owner}: missing {', '.join(missing)}.", code="missing_settings")
        hosts = table.get("allowed_endpoints")
        if isinstance(hosts, str):  # from the environment
            table = {**table, "allowed_endpoints": [part.strip() for part in hosts.split(",")]}
        try:
            config = msgspec.convert(table, Config, strict=False, dec_hook=hidden)
        except msgspec.ValidationError as error:
            raise Misconfigured(f"{owner}: {error}.", code="invalid_settings") from None
        return WebPushCodec(owner, config, self._once)


class WebPushCodec:
    """One instance's codec; making it proves the key by a trial signature.

    The access token of Web Push is a moment: from it comes one VAPID token per push service.
    """

    def __init__(self, owner: str, config: Config, once: Callable[[], ece.Once]) -> None:
        key = vapid.private_key(config.private_key, owner)
        self.vapid = vapid.Vapid(key, vapid.checked_subject(config.subject, owner))
        self.vapid.authorization("https://trial.invalid", 0.0)
        self.outlet = Outlet(
            ca_file=config.ca_file,
            proxy=config.proxy,
            max_connections=config.max_connections,
            guarded=True,
        )
        self.allowed = config.allowed_endpoints
        self.once = once
        self.proof = Proof()

    def known(self, origin: str) -> bool:
        """Whether a service there may speak against our key: the operator named it, or, where he
        named none, everybody knows it."""
        host = urlsplit(origin).hostname or ""
        return any(fnmatchcase(host, pattern) for pattern in self.allowed or KNOWN)

    def mint(self, now: float) -> AccessToken:
        return AccessToken(Secret(""), now, now + vapid.RENEW)

    def renewable(self, refusal: Outcome, age: float) -> bool:  # noqa: ARG002 - all are alike
        """A token that was refused when it was young would be refused again."""
        return age >= FRESH

    def compile(
        self, content: Content, occasion: Occasion, access: AccessToken
    ) -> CompiledWebPush | Outcome:
        if content.actual_form is Form.LIVE_ACTIVITY:
            return _INACTIVE
        plaintext = msgspec.json.encode(payload(content, occasion))
        if len(plaintext) > ece.LIMIT:
            reason = f"the payload has {len(plaintext)} bytes, Web Push takes {ece.LIMIT}"
            return Outcome(Kind.FAILED, 413, reason, local=True)
        headers = (
            ("content-encoding", "aes128gcm"),
            ("content-type", "application/octet-stream"),
            ("ttl", str(occasion.left(content.ttl))),
            ("urgency", urgency(content)),
            ("topic", topic(content, occasion)),
        )
        return CompiledWebPush(self, access, plaintext, headers)


class CompiledWebPush:
    """One notification for any number of subscriptions."""

    def __init__(
        self,
        codec: WebPushCodec,
        access: AccessToken,
        plaintext: bytes,
        headers: tuple[tuple[str, str], ...],
    ) -> None:
        self._codec = codec
        self._access = access
        self._plaintext = plaintext
        self._headers = headers

    def pack(self, targets: Sequence[Target]) -> Iterator[Parcel | Unsendable]:
        """One request per subscription, encrypted as it is pulled.

        That takes about 0.1 ms of a processor each. Two threads were not quicker than one (0.96
        times), so it is done where it is asked for, and who pulls pauses in between.
        """
        allowed, authorization = self._codec.allowed, self._codec.vapid.authorization
        for place, target in enumerate(targets):
            try:
                device = push_subscription.read(target.token)
            except Invalid:
                yield Unsendable(place, _UNREADABLE)
                continue
            if allowed and not any(fnmatchcase(device.host, pattern) for pattern in allowed):
                yield Unsendable(place, _ELSEWHERE)
                continue
            body = ece.encrypt(self._plaintext, device.receiver, self._codec.once())
            own = ("authorization", authorization(device.origin, self._access.minted_at))
            request = Request("POST", device.endpoint, (own, *self._headers), body)
            yield Parcel((place,), request)

    def read(self, parcel: Parcel, answer: Answer) -> list[Outcome]:
        origin = origin_of(parcel.request.url)
        known = self._codec.known(origin)
        outcome = webpush_answers.read(answer)
        return [self._codec.proof.judge(origin, self._access, outcome, known=known)]


def payload(content: Content, occasion: Occasion) -> dict[str, Any]:
    """What the browser or its service worker reads: `id`, by which it may be confirmed (see
    `api/confirmations.py`); `notification` with the members of a
    Declarative Web Push message (W3C Push API; WebKit, "Meet Declarative Web Push") and the other
    neutral fields under their own names; `raw` laid over it. It is marked as a declarative one if
    it has a title and an absolute URL, without which it would be none."""
    notification: dict[str, Any] = {}
    for field, name in _MEMBERS.items():
        if value := getattr(content, field):
            notification[name] = value
    if content.badge is not None:
        notification["app_badge"] = content.badge
    if content.interruption is Interruption.PASSIVE:
        notification["silent"] = True
    if notification and content.actual_form is not Form.BACKGROUND:
        # A push that had to be sent twice replaces itself on the screen.
        notification["tag"] = content.collapse_key or occasion.id
    declarative = content.title and content.url and "://" in content.url
    built = {"web_push": DECLARATIVE} if declarative else {}
    said = {**built, "id": occasion.id, "notification": notification}
    return merged(said, content.raw.get(WebPush.name, {}))


def urgency(content: Content) -> str:
    """RFC 8030 §5.3: what is worth waking a device on battery for."""
    if content.interruption is Interruption.PASSIVE:
        return "low"
    return "high" if content.priority is Priority.HIGH else "normal"


def topic(content: Content, occasion: Occasion) -> str:
    """RFC 8030 §5.4: 32 characters, under which an unread message replaces an earlier one.

    A collapse key is hashed, since the push service can read this; without one it is the
    notification's own id, so that a push that had to be sent twice replaces itself.
    """
    if content.collapse_key is None:
        return occasion.id.replace("-", "")[:32]
    return urlsafe_b64encode(sha256(content.collapse_key.encode()).digest()[:24]).decode("ascii")

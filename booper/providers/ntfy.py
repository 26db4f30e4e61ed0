"""ntfy: a topic on a server of one's own or on ntfy.sh, or any UnifiedPush endpoint.

To a topic goes a message as JSON, to be shown by ntfy's own app; to an endpoint goes a body for
the app behind it, which reads it itself. Sources: ntfy, "Publish as JSON"; UnifiedPush, "Server".
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from booper.domain import address
from booper.domain.content import Content, Form, Interruption, Priority
from booper.domain.errors import Invalid, Misconfigured
from booper.domain.outcome import Kind, Outcome
from booper.domain.secret import Secret, hidden
from booper.providers import ntfy_answers
from booper.providers.override import merged
from booper.providers.provider import AccessToken, Occasion, Parcel, Unsendable, standing
from booper.wire import Outlet, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from booper.domain.delivery import Target
    from booper.wire import Answer

URL = "https://ntfy.sh"
LIMIT = 4096  # bytes of a message, and of what UnifiedPush carries
JSON_LIMIT = 2 * LIMIT  # bytes of a message with all that belongs to it
_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
_ENDPOINT = re.compile(r"https://[^\s/?#@\\\x00-\x1f\x7f]{1,255}/[!-\"$-\[\]-~]{0,2000}")
_SHOWN = re.compile(r"[!-~]{1,512}\Z")
_LOUDNESS = {
    Interruption.PASSIVE: 2,
    Interruption.ACTIVE: 3,
    Interruption.TIME_SENSITIVE: 4,
    Interruption.CRITICAL: 5,
}


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An instance's settings; who may publish shows an access token, or a user and a password."""

    url: str = URL
    access_token: Secret | None = None
    user: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^:\x00-\x1f\x7f]+\Z")] = ""
    password: Secret | None = None
    ca_file: str | None = None
    proxy: Secret | None = None
    max_connections: Annotated[int, Meta(ge=1, le=100)] = 6


class Ntfy:
    """The provider."""

    name = "ntfy"
    config: type[msgspec.Struct] = Config
    nobody: str | None = "docs"  # a name that ntfy keeps to itself: refused, but after the key

    def device_token(self, text: str) -> str:
        if not _TOPIC.fullmatch(text) and not _ENDPOINT.fullmatch(text):
            raise Invalid(
                "An ntfy device token is a topic (1 to 64 letters, digits, _ and -) or the "
                "https URL of a UnifiedPush endpoint.",
                code="invalid_device_token",
                pointer="/device_token",
            )
        return text

    def address(self, device_token: str) -> tuple[str, str] | None:
        return (device_token, "") if "/" in device_token else None

    def codec(self, name: str, table: dict[str, object]) -> NtfyCodec:
        owner = f"instances.{name}"
        try:
            config = msgspec.convert(table, Config, strict=False, dec_hook=hidden)
        except msgspec.ValidationError as error:
            raise Misconfigured(f"{owner}: {error}.", code="invalid_settings") from None
        return NtfyCodec(owner, config)


class NtfyCodec:
    """One instance's codec. What it shows is a fixed key, and only to its own server."""

    def __init__(self, owner: str, config: Config) -> None:
        self._own = _server(owner, config.url)
        self._authorization = _authorization(owner, config)
        self.outlet = Outlet(
            ca_file=config.ca_file,
            proxy=config.proxy,
            max_connections=config.max_connections,
            guarded=True,
            trusted=(_where(self._own),),
        )

    def mint(self, now: float) -> AccessToken:
        return standing(self._authorization, now)

    def renewable(self, refusal: Outcome, age: float) -> bool:  # noqa: ARG002 - it never changes
        return False

    def compile(
        self, content: Content, occasion: Occasion, access: AccessToken
    ) -> CompiledNtfy | Outcome:
        if content.actual_form is Form.LIVE_ACTIVITY:
            return Outcome(Kind.FAILED, 400, "ntfy has no live activities", local=True)
        return CompiledNtfy(self._own, access.text.reveal(), content, occasion)


class CompiledNtfy:
    """One notification for any number of topics and endpoints."""

    def __init__(self, own: str, authorization: str, content: Content, occasion: Occasion) -> None:
        self._own = own
        self._where = _where(own)
        self._shown = (("Authorization", authorization),) if authorization else ()
        # What an endpoint wants that speaks Web Push (RFC 8030) and does not know ntfy's words.
        urgency = "high" if content.priority is Priority.HIGH else "normal"
        self._push = (*_PUSH, ("TTL", str(occasion.left(content.ttl))), ("Urgency", urgency))
        patch = content.raw.get("ntfy", {})
        said = merged(message(content, occasion), patch)
        self._tail = b'",' + msgspec.json.encode(said)[1:] if said else b'"}'
        self._mute = refusal(content, said, len(self._tail))
        self._body = msgspec.json.encode(merged(unified(content, occasion), patch))

    def pack(self, targets: Sequence[Target]) -> Iterable[Parcel | Unsendable]:
        """One request per device: ntfy has no batches."""
        for place, target in enumerate(targets):
            made = self._request(target.token)
            if isinstance(made, Outcome):
                yield Unsendable(place, made)
            else:
                yield Parcel((place,), made)

    def read(self, parcel: Parcel, answer: Answer) -> Sequence[Outcome]:
        url = parcel.request.url
        foreign = url != self._own and _where(url) != self._where
        return (ntfy_answers.read(answer, foreign=foreign),)

    def _request(self, token: str) -> Request | Outcome:
        if "/" not in token:
            if self._mute is not None:
                return self._mute
            body = b'{"topic":"%b%b' % (token.encode(), self._tail)
            return Request("POST", self._own, (*_JSON, *self._shown), body)
        try:
            where = address.parse(token)
        except address.AddressError as error:
            return Outcome(Kind.FAILED, 400, str(error), local=True)
        own = (where.host, where.port) == self._where
        if own and not _TOPIC.fullmatch(where.target.partition("?")[0][1:]):
            # Our own server is called without the guard: nothing but its topics.
            return Outcome(
                Kind.FAILED, 400, "the endpoint is not a topic of this server", local=True
            )
        if len(self._body) > LIMIT:
            reason = f"the body has {len(self._body)} bytes, UnifiedPush takes {LIMIT}"
            return Outcome(Kind.FAILED, 413, reason, local=True)
        return Request("POST", token, (*self._push, *(self._shown if own else ())), self._body)


_JSON = (("Content-Type", "application/json"),)
_PUSH = (("Content-Type", "application/octet-stream"), ("X-UnifiedPush", "1"))


def message(content: Content, occasion: Occasion) -> dict[str, Any]:
    """What ntfy shows, without the topic. It has no field for data: alone, data is the text."""
    text = "\n".join(part for part in (content.subtitle, content.body) if part)
    said: dict[str, Any] = {}
    if text and content.title:
        said["title"] = content.title
    said["message"] = text or content.title
    if not said["message"] and content.data:
        said["message"] = msgspec.json.encode(content.data).decode()
    said["priority"] = _priority(content)
    if content.category:
        said["tags"] = [content.category]
    if content.url:
        said["click"] = content.url
    if content.image:
        said["attach"] = content.image
    # A push that had to be sent twice replaces itself.
    said["sequence_id"] = _sequence(content.collapse_key or occasion.id)
    return said


def unified(content: Content, occasion: Occasion) -> dict[str, Any]:
    """What an app behind a UnifiedPush endpoint reads: the neutral message and its id."""
    said: dict[str, Any] = msgspec.to_builtins(content)
    for ours in ("raw", "ttl"):
        said.pop(ours, None)
    return {"id": occasion.id, **said}


def refusal(content: Content, said: dict[str, Any], size: int) -> Outcome | None:
    """Why ntfy would never take this message, if so."""
    text = said.get("message")
    if "topic" in said:
        return Outcome(
            Kind.FAILED, 400, "raw.ntfy may not name a topic: the device does", local=True
        )
    if not isinstance(text, str) or not text:
        keys = content.loc_key or content.title_loc_key
        why = "it has no texts by key" if keys else "there is no text"
        return Outcome(Kind.FAILED, 400, f"ntfy has nothing to show: {why}", local=True)
    if (length := len(text.encode())) > LIMIT:
        return Outcome(
            Kind.FAILED, 413, f"the message has {length} bytes, ntfy takes {LIMIT}", local=True
        )
    if size > JSON_LIMIT - 80:  # the topic comes before it
        return Outcome(
            Kind.FAILED, 413, f"the JSON has {size} bytes, ntfy takes {JSON_LIMIT}", local=True
        )
    return None


def _priority(content: Content) -> int:
    if content.interruption is not None:
        return _LOUDNESS[content.interruption]
    if content.actual_form is Form.VOIP:
        return 5
    return 4 if content.priority is Priority.HIGH else 3


def _sequence(key: str) -> str:
    return key if _TOPIC.fullmatch(key) else sha256(key.encode()).hexdigest()[:32]


def _server(owner: str, url: str) -> str:
    """The server's URL with a slash at its end."""
    try:
        where = address.parse(url)
    except address.AddressError:
        where = None
    if where is None or where.target != "/":
        raise Misconfigured(
            f"{owner}: url must be https://host[:port] or http://host[:port].", code="invalid_url"
        )
    return f"{where.scheme}://{where.authority}/"


def _where(url: str) -> tuple[str, int]:
    """Host and port as they are dialled, so that no other spelling passes for another server."""
    found = address.parse(url)
    return found.host, found.port


def _authorization(owner: str, config: Config) -> Secret | None:
    """The value of the Authorization header, if any."""
    own, word = config.access_token, config.password
    if own is not None and (config.user or word is not None):
        raise Misconfigured(
            f"{owner}: an access_token or a user with a password, not both.",
            code="invalid_settings",
        )
    if own is not None:
        if not _SHOWN.match(own.reveal()):
            raise Misconfigured(
                f"{owner}: access_token is not one word of printable ASCII.",
                code="bad_access_token",
            )
        return Secret(f"Bearer {own.reveal()}")
    if bool(config.user) != (word is not None):
        missing = "password" if config.user else "user"
        raise Misconfigured(f"{owner}: missing {missing}.", code="missing_settings")
    if word is None:
        return None
    pair = f"{config.user}:{word.reveal()}".encode()
    return Secret(f"Basic {b64encode(pair).decode()}")

"""Expo: one message, a hundred recipients a request, and a ticket for each of them.

Sources: Expo, "Send notifications with the Expo Push Service"; limits as Expo's own Node SDK keeps
them (100 recipients, gzip above 1 KiB, 6 connections). A ticket is no more than Expo's word that
it took the message: `expo_receipts` asks later what Apple or Google said.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, cast

import msgspec
from msgspec import Meta

from booper.domain.errors import Invalid, Misconfigured
from booper.domain.outcome import Kind, Outcome
from booper.domain.secret import Secret, hidden
from booper.providers import expo_answers
from booper.providers.endpoint import https_endpoint
from booper.providers.expo_message import message
from booper.providers.expo_receipts import ExpoReceipts
from booper.providers.expo_request import Headers, headers, post
from booper.providers.provider import AccessToken, Occasion, Parcel, standing
from booper.wire import Outlet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from booper.domain.content import Content
    from booper.domain.delivery import Target
    from booper.wire import Answer

LIMIT = 4096  # bytes of a message without its recipients
CHUNK = 100  # recipients of one request
URL = "https://exp.host"
SEND = "/--/api/v2/push/send"
RECEIPTS = "/--/api/v2/push/getReceipts"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_DEVICE_TOKEN = re.compile(r"Expo(?:nent)?PushToken\[[A-Za-z0-9_-]{1,256}\]")


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An instance's settings. `access_token` is what Expo wants once push security is enabled;
    `channel_id` the Android channel; `url` and `ca_file` point it at a simulator or a relay."""

    access_token: Secret | None = None
    channel_id: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    url: str = URL
    ca_file: str | None = None
    proxy: Secret | None = None
    max_connections: Annotated[int, Meta(ge=1, le=100)] = 6


class Expo:
    """The provider."""

    name = "expo"
    config: type[msgspec.Struct] = Config
    nobody: str | None = "ExponentPushToken[booper-verify]"

    def device_token(self, text: str) -> str:
        if _DEVICE_TOKEN.fullmatch(text):
            return text
        if _UUID.fullmatch(text):
            return text.lower()
        raise Invalid(
            "An Expo push token is ExponentPushToken[…], ExpoPushToken[…] or a UUID.",
            code="invalid_device_token",
            pointer="/device_token",
        )

    def codec(self, name: str, table: dict[str, object]) -> ExpoCodec:
        owner = f"instances.{name}"
        try:
            # Not strict: from the environment numbers come as texts.
            config = msgspec.convert(table, Config, strict=False, dec_hook=hidden)
        except msgspec.ValidationError as error:
            raise Misconfigured(f"{owner}: {error}.", code="invalid_settings") from None
        return ExpoCodec(owner, config)


class ExpoCodec:
    """One instance's codec. There is no key to prove: an access token is either known or not."""

    def __init__(self, owner: str, config: Config) -> None:
        key = config.access_token
        if key is not None and not re.fullmatch(r"[!-~]{1,1024}", key.reveal()):
            raise Misconfigured(
                f"{owner}: access_token is not 1 to 1024 printable ASCII characters.",
                code="bad_access_token",
            )
        place = https_endpoint(
            owner,
            config.url,
            ca_file=config.ca_file,
            proxy=config.proxy,
            max_connections=config.max_connections,
        )
        self._key = key
        self._channel = config.channel_id
        self._base = f"https://{_bracketed(place.host)}:{place.port}"
        self.outlet = Outlet(
            ca_file=config.ca_file, proxy=config.proxy, max_connections=config.max_connections
        )

    def mint(self, now: float) -> AccessToken:
        return standing(self._key, now)

    def renewable(self, refusal: Outcome, age: float) -> bool:  # noqa: ARG002 - it is what it is
        return False

    def compile(
        self, content: Content, occasion: Occasion, access: AccessToken
    ) -> ExpoParcels | Outcome:
        said = message(content, occasion, channel=self._channel)
        if isinstance(said, Outcome):
            return said
        body = msgspec.json.encode(said)
        if len(body) > LIMIT:
            return Outcome(
                Kind.FAILED,
                413,
                f"the message has {len(body)} bytes, Expo takes {LIMIT}",
                local=True,
            )
        return ExpoParcels(self._base + SEND, headers(access), body)

    def receipts(self, access: AccessToken) -> ExpoReceipts:
        return ExpoReceipts(self._base + RECEIPTS, headers(access))


class ExpoParcels:
    """One notification for any number of devices: the message once, `to` whom it goes."""

    __slots__ = ("_headers", "_tail", "_url")

    def __init__(self, url: str, own: Headers, body: bytes) -> None:
        self._url = url
        self._headers = own
        self._tail = (b"," if len(body) > 2 else b"") + body[1:] + b"]"

    def pack(self, targets: Sequence[Target]) -> Iterator[Parcel]:
        for first in range(0, len(targets), CHUNK):
            chunk = targets[first : first + CHUNK]
            yield self._parcel(
                tuple(range(first, first + len(chunk))), tuple(target.token for target in chunk)
            )

    def read(self, parcel: Parcel, answer: Answer) -> Sequence[Outcome] | Sequence[Parcel]:
        tokens = cast("Chunk", parcel).tokens  # it is one of ours
        found = expo_answers.read(tokens, answer)
        if isinstance(found, expo_answers.Split):
            return [
                self._parcel(tuple(parcel.places[i] for i in part), tuple(tokens[i] for i in part))
                for part in found.parts
            ]
        return found

    def _parcel(self, places: tuple[int, ...], tokens: tuple[str, ...]) -> Chunk:
        body = b'[{"to":' + msgspec.json.encode(tokens) + self._tail
        return Chunk(places, post(self._url, self._headers, body), tokens)


class Chunk(Parcel, frozen=True, eq=False):
    """A parcel that remembers its device tokens: Expo names them when it wants them apart."""

    tokens: tuple[str, ...]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

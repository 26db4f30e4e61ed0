"""What one contender is asked to do, what it says of it, and the requests all of them send."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from booper.domain.secret import Secret
from booper.providers import jwt

DEVICES = 10_000  # distinct device tokens; a contender that can only take fewer begins again
TITLE = "Your order is on its way"
TEXT = "It left our house this morning and will be at your door tomorrow before noon."
PAYLOAD: dict[str, Any] = {"aps": {"alert": {"title": TITLE, "body": TEXT}, "sound": "default"}}
PUSH_ID = "018f2f6e-7b1a-7c3d-9e10-%012x"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The server to send to. `fcm_port` 0: it has no FCM. `pid` 0: it is not ours to watch."""

    host: str
    port: int
    ca_file: str
    key_file: str
    key_id: str
    team_id: str
    topic: str
    fcm_port: int = 0
    fcm_project: str = "bench"
    pid: int = 0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """`requests` after `warmup` others, `streams` open at once; on `core` alone, if it is named.

    `latency`: for how many seconds to send single pushes afterwards (0: not at all).
    """

    contender: str
    place: Place
    requests: int
    warmup: int
    streams: int
    core: int | None = None
    latency: float = 0.0


class Result(msgspec.Struct, kw_only=True):
    """What a contender did in its timed part, and the processor seconds of both sides."""

    requests: int
    ok: int
    seconds: float
    cpu: float
    server_cpu: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    in_flight: int | None = None
    growth_mib: float | None = None

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of the sender's processor time per request."""
        return self.cpu / self.requests * 1e6


def device(number: int) -> str:
    """A device token: 64 hexadecimal digits that look like one."""
    number %= DEVICES
    return f"{(number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251 % (1 << 256):064x}"


def body() -> bytes:
    """The payload, about 150 bytes."""
    return msgspec.json.encode(PAYLOAD)


def bearer(place: Place) -> str:
    """A provider token of this moment, without its scheme."""
    pem = Secret(Path(place.key_file).read_text("utf-8"))
    claims = {"iss": place.team_id, "iat": int(time.time())}
    return jwt.es256(jwt.es256_key(pem, "bench"), claims, place.key_id).reveal()


def headers(place: Place) -> dict[str, str]:
    """What every request has besides its apns-id."""
    return {
        "authorization": f"bearer {bearer(place)}",
        "apns-topic": place.topic,
        "apns-push-type": "alert",
        "apns-priority": "10",
        "apns-expiration": str(int(time.time()) + 86_400),
    }

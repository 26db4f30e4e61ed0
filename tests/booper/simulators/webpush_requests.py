"""A push request as a good sender makes it, to be spoiled in one place by a test."""

from __future__ import annotations

from typing import Any

import jwt

from booper.providers import base64url, ece
from booper.simulators.webpush import Agent, Agents
from tests.booper.providers.keys import P256

ORIGIN = "https://localhost:4430"
NOW = 1_800_000_000.0
SENDER = base64url.encoded(ece.public_point(P256))
CLAIMS: dict[str, Any] = {"aud": ORIGIN, "exp": int(NOW) + 3600, "sub": "mailto:ops@example.com"}


def vapid(key: Any = P256, k: str = SENDER, **claims: Any) -> str:
    said = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return f"vapid t={jwt.encode(said, key, algorithm='ES256')}, k={k}"


class Sender:
    """One subscription, and a request to it."""

    def __init__(self, *, restricted: bool = True) -> None:
        self.agents = Agents()
        self.agent: Agent = self.agents.subscribe(ece.public_point(P256) if restricted else None)
        self.headers: dict[str, str] = {
            "authorization": vapid(),
            "ttl": "60",
            "content-encoding": "aes128gcm",
        }
        self.body = self.encrypted(b"hello")

    def encrypted(self, text: bytes) -> bytes:
        receiver = ece.receiver(ece.public_point(self.agent.key), self.agent.auth)
        return ece.encrypt(text, receiver, ece.once())

"""The user agents behind a simulated push service: their subscriptions, keys and inboxes."""

from __future__ import annotations

import secrets
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from booper.providers import base64url, ece

if TYPE_CHECKING:
    from collections.abc import Iterator

INBOX = 100  # unread messages that a user agent keeps; older ones are dropped


class Message(NamedTuple):
    """One message as the user agent got it."""

    id: str
    text: bytes
    ttl: int
    urgency: str
    topic: str | None


class Agent:
    """One subscription. `server_key`: the only VAPID key that may send to it, as a point."""

    def __init__(self, name: str, server_key: bytes | None) -> None:
        self.name = name
        self.server_key = server_key
        self.expired = False
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = secrets.token_bytes(16)
        self.inbox: deque[Message] = deque(maxlen=INBOX)

    def receive(self, message: Message) -> None:
        """Put a message into the inbox, instead of an unread one of the same topic."""
        if message.topic is not None:
            kept = [other for other in self.inbox if other.topic != message.topic]
            self.inbox.clear()
            self.inbox.extend(kept)
        self.inbox.append(message)

    def expire(self) -> None:
        """End the subscription: 410 from now on."""
        self.expired = True

    def subscription(self, endpoint: str) -> dict[str, object]:
        """What the browser's `PushSubscription.toJSON()` gives."""
        keys = {
            "p256dh": base64url.encoded(ece.public_point(self.key)),
            "auth": base64url.encoded(self.auth),
        }
        return {"endpoint": endpoint, "expirationTime": None, "keys": keys}


class Agents:
    """Every subscription of one push service, by the name in its endpoint."""

    def __init__(self) -> None:
        self._agents: dict[str, Agent] = {}

    def __len__(self) -> int:
        return len(self._agents)

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._agents.values())

    def subscribe(self, server_key: bytes | None = None) -> Agent:
        """A new subscription. ValueError if `server_key` is not a point on P-256."""
        agent = self.made(server_key)
        self.add(agent)
        return agent

    def made(self, server_key: bytes | None = None) -> Agent:
        """The same, not known to the service until it is added."""
        if server_key is not None:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), server_key)
        return Agent(secrets.token_urlsafe(24), server_key)

    def add(self, agent: Agent) -> None:
        """Know a subscription from now on."""
        self._agents[agent.name] = agent

    def named(self, name: str) -> Agent | None:
        """The subscription of that name, alive or expired."""
        return self._agents.get(name)

"""Instance: one named, configured, running use of a provider, and the states it can be in.

A refused credential and a failing provider are states, never crashes: a crash would spend the
restart budget and gain nothing.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from booper.domain.machine import Machine


class State(Enum):
    """What an instance is doing about its batches."""

    READY = "ready"
    FAILING = "failing"  # the provider fails or cannot be reached: tries back off
    REFUSED = "refused"  # the provider refuses the credential: batches are kept for later
    STOPPING = "stopping"  # no new batches; what is in flight ends


class Event(Enum):
    """What moves it on."""

    SENT = "sent"
    FAILED = "provider_failing"
    REFUSED = "credential_refused"
    STOP = "stop"


_STOP = {Event.STOP: State.STOPPING}
MACHINE = Machine(
    "instance",
    {
        State.READY: {
            Event.SENT: State.READY,
            Event.FAILED: State.FAILING,
            Event.REFUSED: State.REFUSED,
            **_STOP,
        },
        State.FAILING: {
            Event.SENT: State.READY,
            Event.FAILED: State.FAILING,
            Event.REFUSED: State.REFUSED,
            **_STOP,
        },
        State.REFUSED: {
            Event.SENT: State.READY,
            Event.FAILED: State.REFUSED,
            Event.REFUSED: State.REFUSED,
            **_STOP,
        },
        State.STOPPING: {
            Event.SENT: State.STOPPING,
            Event.FAILED: State.STOPPING,
            Event.REFUSED: State.STOPPING,
            Event.STOP: State.STOPPING,
        },
    },
)


class Standing(msgspec.Struct, frozen=True):
    """What a person wants to know of a running instance; holds no secret.

    `breaker`: whether its provider is tried now; `pause`: seconds until the next try (0: none).
    """

    name: str
    provider: str
    state: str
    accepted: int
    failed: int
    in_flight: int
    last_error: str
    generation: int
    breaker: str = "closed"
    pause: float = 0.0

"""Notification: one message to an audience, from the moment it was accepted to the last outcome."""

from __future__ import annotations

from enum import Enum

import msgspec

from booper.domain.machine import Machine


class State(Enum):
    """Where a notification stands."""

    QUEUED = "queued"  # written down; its audience is not counted yet
    SENDING = "sending"  # its audience is cut into batches
    DONE = "done"  # every device has a final outcome


class Event(Enum):
    """What moves it on."""

    FANNED_OUT = "fanned_out"
    ALL_FINAL = "all_final"


MACHINE = Machine(
    "notification",
    {
        State.QUEUED: {Event.FANNED_OUT: State.SENDING, Event.ALL_FINAL: State.DONE},
        State.SENDING: {Event.ALL_FINAL: State.DONE},
        State.DONE: {},
    },
)


class Progress(msgspec.Struct, frozen=True):
    """A notification's account: `devices` = pending + the sum of `counts`, always."""

    id: str
    channel: str
    state: str
    devices: int
    pending: int
    counts: dict[str, int]
    retried: int
    maybe_doubled: int
    created_at: float
    finished_at: float | None

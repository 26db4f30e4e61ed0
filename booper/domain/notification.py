"""Notification: one message to an audience, from the moment it was accepted to the last outcome."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from booper.domain.machine import Machine
from booper.domain.outcome import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_AHEAD = 30 * 86_400  # seconds that it may be scheduled ahead


class State(Enum):
    """Where a notification stands."""

    SCHEDULED = "scheduled"  # waits for its time
    QUEUED = "queued"  # written down; its audience is not counted yet
    SENDING = "sending"  # its audience is cut into batches
    DONE = "done"  # every device has an outcome; a receipt may yet ask for another try
    CANCELLED = "cancelled"  # nothing was sent, and nothing will be


class Event(Enum):
    """What moves it on."""

    DUE = "due"
    FANNED_OUT = "fanned_out"
    ALL_FINAL = "all_final"
    REOPENED = "reopened"  # a receipt asks for another try
    CANCELLED = "cancelled"


MACHINE = Machine(
    "notification",
    {
        State.SCHEDULED: {Event.DUE: State.QUEUED, Event.CANCELLED: State.CANCELLED},
        State.QUEUED: {
            Event.FANNED_OUT: State.SENDING,
            Event.ALL_FINAL: State.DONE,
            Event.CANCELLED: State.CANCELLED,
        },
        State.SENDING: {Event.ALL_FINAL: State.DONE},
        State.DONE: {Event.REOPENED: State.SENDING},
        State.CANCELLED: {},
    },
)

# What goes out later, or never, was not said to anybody yet.
UNSAID = (State.SCHEDULED.value, State.CANCELLED.value)
_REACHED = frozenset({Kind.ACCEPTED.value, Kind.DELIVERED.value, Kind.UNKNOWN.value})


class Progress(msgspec.Struct, frozen=True):
    """A notification and its account: `devices` = pending + the sum of `counts`, always.

    `tenant`: the id of the app whose it is, "" for the public's; `audience` and `content`: JSON.
    `opened`: on how many devices somebody opened it, as they say.
    """

    id: str
    channel: str | None
    state: str
    devices: int
    pending: int
    counts: dict[str, int]
    retried: int
    maybe_doubled: int
    created_at: float
    finished_at: float | None
    tenant: str = ""
    audience: str = ""
    content: str = "{}"
    scheduled_at: float | None = None
    expires_at: float = 0.0
    archived_at: float | None = None
    opened: int = 0


def summary(state: str, devices: int, counts: Mapping[str, int]) -> str:
    """One word for how it stands: the state, and at the end what became of the devices.

    "done": all were reached, or there was nobody; "partial": some were; "expired": none, for want
    of time alone; "failed": none. "sending" begins with the first device.
    """
    if state == State.QUEUED.value and devices:
        return State.SENDING.value
    if state != State.DONE.value or not devices:
        return state
    reached = sum(count for kind, count in counts.items() if kind in _REACHED)
    if reached == devices:
        return "done"
    if reached:
        return "partial"
    return "expired" if counts[Kind.EXPIRED.value] == devices else "failed"

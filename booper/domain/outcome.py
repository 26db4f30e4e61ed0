"""Outcome: what became of one try for one device. Expected failure is a value."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """The actions of the error → action table, and what receipts make of an accepted push.

    The first five are final for a try; the last two nobody but a receipt or the device says; the
    others are not final.
    """

    ACCEPTED = "accepted"  # the provider took it; whether it was shown is not known
    FAILED = "failed"  # this message cannot be sent to this device
    GONE = "gone"  # the device no longer exists there; no more is sent to it
    EXPIRED = "expired"  # its time ran out before a provider took it
    UNROUTED = "not_configured"  # no provider instance sends for this device
    RETRY = "retry"  # try this device again later
    REFUSED = "refused"  # our credential is refused: the instance's trouble, not the device's
    HELD = "held"  # not tried: its instance pauses, or has as much to do as it may
    DELIVERED = "delivered"  # a receipt, or the device itself, confirmed what was accepted
    UNKNOWN = "receipt_unknown"  # a receipt was promised and never came


class About(StrEnum):
    """Of what an answer speaks, if not simply of the device, the message or the provider."""

    USUAL = ""
    STRANGER = "stranger"  # one of many servers, which devices name: nothing of the instance's own
    ORIGIN = "origin"  # such a server as a whole: `after` holds for all that goes there
    PART = "part"  # a part of the account at the provider is broken; the rest of it works


FINAL = frozenset({Kind.ACCEPTED, Kind.FAILED, Kind.GONE, Kind.EXPIRED, Kind.UNROUTED})


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """One try's end, in the provider's own words.

    `status` is the HTTP status (0: no answer). `after` is the least number of seconds to wait
    before another try. `maybe_sent`: the request may have been processed although no answer came,
    so another try may double it. `since` (Unix seconds) is when the device went, where told.
    `suspect`: the device token itself may be what is wrong; one such answer proves nothing.
    `local`: decided here, without asking the provider. `listening`: whether anybody listens at the
    device's address now, where told.
    """

    kind: Kind
    status: int = 0
    reason: str = ""
    after: float = 0.0
    maybe_sent: bool = False
    since: float | None = None
    provider_id: str = ""
    suspect: bool = False
    local: bool = False
    listening: bool | None = None
    about: About = About.USUAL


ACCEPTED = Outcome(Kind.ACCEPTED, 200)
"""The usual end, shared: one object serves a million devices."""


def local(outcome: Outcome) -> Outcome:
    """The same, decided without the provider: it says nothing about how that one does."""
    return msgspec.structs.replace(outcome, local=True)

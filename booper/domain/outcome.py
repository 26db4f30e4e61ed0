"""Outcome: what became of one try for one device. Expected failure is a value."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """The actions of the error → action table. The first five are final, the last two are not."""

    ACCEPTED = "accepted"  # the provider took it; whether it was shown is not known
    FAILED = "failed"  # this message cannot be sent to this device
    GONE = "gone"  # the device no longer exists there; no more is sent to it
    EXPIRED = "expired"  # its time ran out before a provider took it
    UNROUTED = "not_configured"  # no provider instance sends for this device
    RETRY = "retry"  # try this device again later
    REFUSED = "refused"  # our credential is refused: the instance's trouble, not the device's


FINAL = frozenset({Kind.ACCEPTED, Kind.FAILED, Kind.GONE, Kind.EXPIRED, Kind.UNROUTED})


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """One try's end, in the provider's own words.

    `status` is the HTTP status (0: no answer). `after` is the least number of seconds to wait
    before another try. `maybe_sent`: the request may have been processed although no answer came,
    so another try may double it. `since` (Unix seconds) is when the device went, where told.
    """

    kind: Kind
    status: int = 0
    reason: str = ""
    after: float = 0.0
    maybe_sent: bool = False
    since: float | None = None
    provider_id: str = ""


ACCEPTED = Outcome(Kind.ACCEPTED, 200)
"""The usual end, shared: one object serves a million devices."""

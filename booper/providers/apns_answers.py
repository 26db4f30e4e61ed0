"""APNs' answers → outcomes: the error → action table as data.

Source: Apple, "Handling notification responses from APNs". A payload error never drops a device;
an unknown reason never does either.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from booper.domain.outcome import ACCEPTED, Kind, Outcome
from booper.providers.body import decoded
from booper.providers.lost import lost
from booper.providers.retry_after import retry_after
from booper.wire import Answer, Lost

QUARTER = 900.0  # "After 15 minutes, you can retry", says Apple of 500 and 503

_GONE = (Kind.GONE, 0.0)
_FAILED = (Kind.FAILED, 0.0)
_REFUSED = (Kind.REFUSED, 60.0)
_SLOWER = (Kind.RETRY, 60.0)

REASONS: dict[str, tuple[Kind, float]] = {
    # 400: the device
    "BadDeviceToken": _GONE,
    "DeviceTokenNotForTopic": _GONE,
    "TopicDisallowed": _GONE,
    # 400, 404, 405, 413: this message, or our own mistake
    "BadCollapseId": _FAILED,
    "BadExpirationDate": _FAILED,
    "BadMessageId": _FAILED,
    "BadPath": _FAILED,
    "BadPriority": _FAILED,
    "BadTopic": _FAILED,
    "DuplicateHeaders": _FAILED,
    "InvalidPushType": _FAILED,
    "MethodNotAllowed": _FAILED,
    "MissingDeviceToken": _FAILED,
    "MissingTopic": _FAILED,
    "PayloadEmpty": _FAILED,
    "PayloadTooLarge": _FAILED,
    "IdleTimeout": (Kind.RETRY, 0.0),
    # 403: our credential
    "BadCertificate": _REFUSED,
    "BadCertificateEnvironment": _REFUSED,
    "BadEnvironmentKeyIdInToken": _REFUSED,
    "ExpiredProviderToken": _REFUSED,
    "Forbidden": _REFUSED,
    "InvalidProviderToken": _REFUSED,
    "MissingProviderToken": _REFUSED,
    "UnrelatedKeyIdInToken": _REFUSED,
    # 410: the device has gone
    "ExpiredToken": _GONE,
    "Unregistered": _GONE,
    # 429
    "TooManyProviderTokenUpdates": (Kind.REFUSED, 1200.0),  # never mint again because of it
    "TooManyRequests": _SLOWER,  # to this device, not to the provider
    # 500, 503
    "InternalServerError": (Kind.RETRY, QUARTER),
    "ServiceUnavailable": (Kind.RETRY, QUARTER),
    "Shutdown": (Kind.RETRY, 0.0),
}


class _Refusal(msgspec.Struct):
    """The body of every answer but 200; `timestamp` (milliseconds) comes with a 410."""

    reason: str = ""
    timestamp: Annotated[int, Meta(ge=0, le=2**53)] | None = None


_decoder = msgspec.json.Decoder(_Refusal)


def read(answer: Answer) -> Outcome:
    """The outcome of one answer; anything unreadable is judged by its status alone."""
    if isinstance(answer, Lost):
        return lost(answer)
    status = answer.status
    if status == 200:
        return ACCEPTED
    refusal = decoded(_decoder, answer.body) or _Refusal()
    reason = refusal.reason[:100] or f"HTTP {status}"
    kind, after = REASONS.get(refusal.reason) or _by_status(status)
    if kind is Kind.RETRY:
        after = retry_after(answer, after)
    since = None
    if kind is Kind.GONE and refusal.timestamp is not None:
        since = refusal.timestamp / 1000.0
    return Outcome(kind, status, reason, after=after, since=since)


def _by_status(status: int) -> tuple[Kind, float]:
    """What to do about a reason that Apple had not written down when this was written."""
    if status in (401, 403):
        return _REFUSED  # about the credential, whatever it says: keep the messages
    if status == 429:
        return _SLOWER
    return (Kind.RETRY, QUARTER) if status >= 500 or status < 400 else _FAILED

"""FCM's answers → outcomes: the error → action table as data.

Source: Firebase, "FCM error codes" and "ErrorCode" (HTTP v1). The specific code stands in the
error's details; the status above it is only its family.
"""

from __future__ import annotations

from typing import Any

import msgspec

from booper.domain.outcome import ACCEPTED, Kind, Outcome
from booper.providers.body import UNREADABLE, decoded
from booper.providers.lost import lost
from booper.providers.retry_after import retry_after
from booper.wire import Answer, Lost

MINUTE = 60.0
QUARTER = 900.0
NAME = 200  # characters kept of a message's name

CODES: dict[str, tuple[Kind, float]] = {
    "UNREGISTERED": (Kind.GONE, 0.0),
    "SENDER_ID_MISMATCH": (Kind.GONE, 0.0),
    "INVALID_ARGUMENT": (Kind.FAILED, 0.0),  # payload or device token: one alone proves neither
    "QUOTA_EXCEEDED": (Kind.RETRY, MINUTE),
    "UNAVAILABLE": (Kind.RETRY, 10.0),
    "INTERNAL": (Kind.RETRY, 10.0),
    "THIRD_PARTY_AUTH_ERROR": (Kind.RETRY, QUARTER),  # the project's own APNs or VAPID key
    "APNS_AUTH_ERROR": (Kind.RETRY, QUARTER),  # its name before there was Web Push
}
FAMILIES: dict[str, tuple[Kind, float]] = {
    "UNAUTHENTICATED": (Kind.REFUSED, MINUTE),
    "PERMISSION_DENIED": (Kind.REFUSED, MINUTE),
    "RESOURCE_EXHAUSTED": (Kind.RETRY, MINUTE),
    "UNAVAILABLE": (Kind.RETRY, 10.0),
    "INTERNAL": (Kind.RETRY, 10.0),
    "INVALID_ARGUMENT": (Kind.FAILED, 0.0),
    "NOT_FOUND": (Kind.FAILED, 0.0),
}


DEVICE_FIELD = "message.token"


class _Detail(msgspec.Struct):
    """One of several kinds: FcmError has the code, BadRequest the violations."""

    code: str = msgspec.field(name="errorCode", default="")
    violations: Any = msgspec.field(name="fieldViolations", default=None)


class _Error(msgspec.Struct, frozen=True):
    status: str = ""
    message: str = ""
    details: list[_Detail] = []


class _Refusal(msgspec.Struct):
    error: _Error = _Error()


class _Sent(msgspec.Struct, frozen=True, gc=False):
    name: str = ""


_refusal = msgspec.json.Decoder(_Refusal)
_name = msgspec.json.Decoder(_Sent).decode
_ACCEPTED = Kind.ACCEPTED


def read(answer: Answer) -> Outcome:
    """The outcome of one answer; anything unreadable is judged by its status alone."""
    if isinstance(answer, Lost):
        return lost(answer)
    status = answer.status
    if status == 200:
        # Every push comes by here: no frame in between, a third of a microsecond saved.
        try:
            name = _name(answer.body).name
        except UNREADABLE:
            return ACCEPTED
        if len(name) > NAME or "\0" in name:
            name = name.replace("\0", "")[:NAME]
        return Outcome(_ACCEPTED, 200, provider_id=name)
    error = (decoded(_refusal, answer.body) or _Refusal()).error
    code = next((detail.code for detail in error.details if detail.code), "")
    action = CODES.get(code) or FAMILIES.get(error.status)
    if action is None:
        again = status >= 500 or status < 400 or status == 429
        action = (Kind.RETRY, MINUTE) if again else (Kind.FAILED, 0.0)
    kind, after = action
    if kind is Kind.RETRY:
        after = retry_after(answer, after)
    reason = (code or error.status or f"HTTP {status}")[:100]
    return Outcome(kind, status, reason, after=after, suspect=_suspect(code, error))


def _suspect(code: str, error: _Error) -> bool:
    """Whether the device token may be the argument that is wrong: FCM's own code, and no violation
    that names another field."""
    found = [detail.violations for detail in error.details if isinstance(detail.violations, list)]
    named = [v.get("field") for many in found for v in many if isinstance(v, dict)]
    return code == "INVALID_ARGUMENT" and all(field == DEVICE_FIELD for field in named)

"""FCM's answers → outcomes: the error → action table as data.

Source: Firebase, "FCM error codes" and "ErrorCode" (HTTP v1). The specific code stands in the
error's details; the status above it is only its family.
"""

from __future__ import annotations

import msgspec

from booper.domain.outcome import Kind, Outcome
from booper.providers.body import decoded
from booper.providers.retry_after import retry_after
from booper.wire import Answer, Lost

MINUTE = 60.0
QUARTER = 900.0

CODES: dict[str, tuple[Kind, float]] = {
    "UNREGISTERED": (Kind.GONE, 0.0),
    "SENDER_ID_MISMATCH": (Kind.GONE, 0.0),
    "INVALID_ARGUMENT": (Kind.FAILED, 0.0),  # payload or device token: one alone proves neither
    "QUOTA_EXCEEDED": (Kind.RETRY, MINUTE),
    "UNAVAILABLE": (Kind.RETRY, 10.0),
    "INTERNAL": (Kind.RETRY, 10.0),
    "THIRD_PARTY_AUTH_ERROR": (Kind.RETRY, QUARTER),  # the project's own APNs or VAPID key
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


class _Detail(msgspec.Struct):
    code: str = msgspec.field(name="errorCode", default="")


class _Error(msgspec.Struct, frozen=True):
    status: str = ""
    message: str = ""
    details: list[_Detail] = []


class _Refusal(msgspec.Struct):
    error: _Error = _Error()


class _Sent(msgspec.Struct):
    name: str = ""


_refusal = msgspec.json.Decoder(_Refusal)
_sent = msgspec.json.Decoder(_Sent)


def read(answer: Answer) -> Outcome:
    """The outcome of one answer; anything unreadable is judged by its status alone."""
    if isinstance(answer, Lost):
        reason = f"{answer.reason}: {answer.detail}" if answer.detail else answer.reason
        return Outcome(Kind.RETRY, 0, reason, maybe_sent=answer.sent)
    status = answer.status
    if status == 200:
        sent = decoded(_sent, answer.body) or _Sent()
        return Outcome(Kind.ACCEPTED, 200, provider_id=sent.name[:200])
    error = (decoded(_refusal, answer.body) or _Refusal()).error
    code = next((detail.code for detail in error.details if detail.code), "")
    action = CODES.get(code) or FAMILIES.get(error.status)
    if action is None:
        again = status >= 500 or status < 400 or status == 429
        action = (Kind.RETRY, MINUTE) if again else (Kind.FAILED, 0.0)
    kind, after = action
    if kind is Kind.RETRY:
        after = retry_after(answer, after)
    return Outcome(kind, status, (code or error.status or f"HTTP {status}")[:100], after=after)

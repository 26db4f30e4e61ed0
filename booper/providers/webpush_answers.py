"""Web Push services' answers → outcomes: the error → action table as data.

RFC 8030 names the statuses; each service says more in words of its own: Mozilla's autopush by
`errno`, Apple by `reason`, Google in plain text. An endpoint comes from outside, so nothing of an
answer is repeated that does not stand in these tables.
"""

from __future__ import annotations

import msgspec

from booper.domain.outcome import About, Kind, Outcome
from booper.providers.body import decoded
from booper.providers.lost import lost
from booper.providers.retry_after import retry_after
from booper.wire import Answer, Lost, Reply

MINUTE = 60.0
QUARTER = 900.0


STALE = "the subscription belongs to another VAPID key"

# Mozilla: autopush, "HTTP endpoints for notifications", error codes.
ERRNOS: dict[int, tuple[Kind, str]] = {
    101: (Kind.FAILED, "missing crypto keys"),
    109: (Kind.REFUSED, "invalid authentication"),
    110: (Kind.FAILED, "invalid crypto keys"),
    111: (Kind.FAILED, "missing header"),
    112: (Kind.FAILED, "invalid TTL"),
    113: (Kind.FAILED, "invalid Topic"),
}
# Apple: "Sending web push notifications in web apps and browsers".
REASONS: dict[str, tuple[Kind, str]] = {
    "BadAuthorizationHeader": (Kind.REFUSED, "BadAuthorizationHeader"),
    "BadJwtToken": (Kind.REFUSED, "BadJwtToken"),
    "BadTtl": (Kind.FAILED, "BadTtl"),
    "BadUrgency": (Kind.FAILED, "BadUrgency"),
    "BadWebPushRequest": (Kind.FAILED, "BadWebPushRequest"),
    "BadWebPushTopic": (Kind.FAILED, "BadWebPushTopic"),
    "VapidPkHashMismatch": (Kind.REFUSED, STALE),
}
# What Google says, and Mozilla's message beside errno 109, of a subscription made with another key.
_STALE_WORDS = (
    b"do not correspond to the credentials",
    b"UnauthorizedRegistration",
    b"public key mismatch",
)


class _Refusal(msgspec.Struct):
    errno: int = 0
    reason: str = ""


_refusal = msgspec.json.Decoder(_Refusal)


def _refused(reply: Reply) -> tuple[Kind, str]:
    """What a 400, 401 or 403 means: our credential, unless the service says that it is not."""
    if any(words in reply.body for words in _STALE_WORDS):
        return Kind.REFUSED, STALE
    refusal = decoded(_refusal, reply.body) or _Refusal()
    known = REASONS.get(refusal.reason) or ERRNOS.get(refusal.errno)
    return known or (Kind.REFUSED, f"HTTP {reply.status}")


def read(answer: Answer) -> Outcome:
    """The outcome of one answer, by itself; `webpush_proof` says whether a refusal is believed."""
    if isinstance(answer, Lost):
        return lost(answer)
    status = answer.status
    match status:
        case 200 | 201 | 202:
            place = (answer.header(b"location") or b"").decode("ascii", "replace")
            return Outcome(Kind.ACCEPTED, status, provider_id=place[:200])
        case 404 | 410:
            # RFC 8030 §7.3: 404 once it has expired; Mozilla says 410.
            return Outcome(Kind.GONE, status, f"HTTP {status}")
        case 400 | 401 | 403:
            kind, reason = _refused(answer)
            after = MINUTE if kind is Kind.REFUSED else 0.0
            # Anybody may register endpoints, also bad ones at a known service: they stop nobody.
            return Outcome(kind, status, reason, after=after, about=About.STRANGER)
        case 429:
            asked = retry_after(answer, -1.0)
            if asked > 0:
                return Outcome(Kind.RETRY, status, "HTTP 429", after=asked, about=About.ORIGIN)
            return Outcome(Kind.RETRY, status, "HTTP 429", after=MINUTE)
        case _ if status >= 500:
            after = retry_after(answer, 10.0)
            return Outcome(Kind.RETRY, status, f"HTTP {status}", after=after)
        case _ if status < 400:  # a redirection is never followed (SSRF); it may go away
            return Outcome(Kind.RETRY, status, f"HTTP {status}", after=QUARTER)
        case _:
            return Outcome(Kind.FAILED, status, f"HTTP {status}")

"""ntfy's answers → outcomes: the error → action table as data.

Source: the list of errors in ntfy's server. The JSON's `code` tells apart what the status does not.
Another UnifiedPush server says what it means by its status alone (RFC 8030 §7.3, §8).
"""

from __future__ import annotations

import msgspec

from booper.domain.outcome import About, Kind, Outcome
from booper.providers.body import decoded
from booper.providers.lost import lost
from booper.providers.retry_after import LONGEST, retry_after, until_midnight
from booper.wire import Answer, Lost, Reply

MINUTE = 60.0
HOUR = 3600.0

QUOTA = 42908
NOBODY = 507  # UnifiedPush: no subscriber at the topic (RFC 4918: insufficient storage)

CODES: dict[int, tuple[Kind, float]] = {
    40009: (Kind.GONE, 0.0),  # no such topic can be
    40010: (Kind.GONE, 0.0),
    40101: (Kind.REFUSED, MINUTE),
    40301: (Kind.REFUSED, MINUTE),
    42901: (Kind.RETRY, 5.0),  # one request is allowed again every five seconds
    QUOTA: (Kind.RETRY, LONGEST),  # until the day is over: ntfy counts anew at midnight UTC
    42909: (Kind.REFUSED, MINUTE),  # too many wrong credentials: no more until the key is right
    50701: (Kind.RETRY, HOUR),  # nobody listens there now
}


class _Error(msgspec.Struct):
    code: int = 0


class _Message(msgspec.Struct):
    id: str = ""


_error = msgspec.json.Decoder(_Error)
_message = msgspec.json.Decoder(_Message)


def read(answer: Answer, *, foreign: bool = False) -> Outcome:
    """The outcome of one answer; anything unreadable is judged by its status alone.

    `foreign`: it came from an endpoint on somebody else's server, to which no key was shown and
    which is free to answer anything; nothing it says is about this instance.
    """
    outcome = lost(answer) if isinstance(answer, Lost) else _read(answer, foreign=foreign)
    return msgspec.structs.replace(outcome, about=About.STRANGER) if foreign else outcome


def _read(answer: Reply, *, foreign: bool) -> Outcome:
    status = answer.status
    if 200 <= status < 300:
        own = (decoded(_message, answer.body) or _Message()).id
        return Outcome(Kind.ACCEPTED, status, provider_id=own[:100], listening=True)
    code = (decoded(_error, answer.body) or _Error()).code
    known = CODES.get(code)
    if known is None or (foreign and known[0] is Kind.REFUSED):
        known = _by_status(status, foreign=foreign)
    kind, after = known
    if kind is Kind.RETRY:
        if code == QUOTA:
            after = until_midnight(answer, after)
        after = retry_after(answer, after)
    reason = str(code) if code else f"HTTP {status}"
    listening = False if status == NOBODY else None
    return Outcome(kind, status, reason, after=after, listening=listening)


def _by_status(status: int, *, foreign: bool) -> tuple[Kind, float]:
    if foreign and status in (404, 410):
        return Kind.GONE, 0.0
    if status in (401, 403):
        return (Kind.FAILED, 0.0) if foreign else (Kind.REFUSED, MINUTE)
    if status == NOBODY:
        return Kind.RETRY, HOUR
    if status == 429 or status >= 500 or status < 400:  # a redirect is never followed
        return Kind.RETRY, MINUTE
    return Kind.FAILED, 0.0

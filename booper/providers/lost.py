"""A request without an answer, as every provider reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain.outcome import Kind, Outcome

if TYPE_CHECKING:
    from booper.wire import Lost

# The address itself is at fault: another try would end the same.
_HOPELESS = frozenset({"guarded", "invalid_url", "invalid_request"})


def lost(answer: Lost) -> Outcome:
    """Tried again, unless the address may not or cannot be called."""
    reason = f"{answer.reason}: {answer.detail}" if answer.detail else answer.reason
    if answer.reason in _HOPELESS:
        return Outcome(Kind.FAILED, 0, reason, local=True)
    return Outcome(Kind.RETRY, 0, reason, maybe_sent=answer.sent)

"""Rotation: how an instance's settings pass from one generation to the next. Pure steps on rows.

serving ── reconfigure ──► proving ── accepted ──► serving
                              └── refused ──► failed ── retry ──► proving
                                                 └── undo ──► (forgotten)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.domain.errors import Conflict
from booper.domain.outcome import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.outcome import Outcome
    from booper.domain.wanted import Wanted

_set = msgspec.structs.replace
WORDS = 500  # characters of a provider's that are kept

# Said of one device these are about the device; said at the first use of a new credential, they
# say that it belongs to another app or world (Apple, Firebase: the topic or sender of the token).
_MISMATCH = frozenset({"DeviceTokenNotForTopic", "TopicDisallowed", "SENDER_ID_MISMATCH"})


def touched(wanted: Wanted, who: str, now: float) -> Wanted:
    """The next version, and who made it."""
    return _set(wanted, version=wanted.version + 1, changed_by=who, changed_at=now)


def renewed(wanted: Wanted, share: float) -> Wanted:
    """New settings are in use, not yet proved; whatever was proving or failed before is not."""
    number = wanted.generation + 1
    return _set(wanted, generation=number, proving=number, failed=None, share=share, words="")


def confirmed(wanted: Wanted, number: int) -> Wanted | None:
    """Generation `number` is proved; None if it is not the one being proved (any more)."""
    if wanted.proving != number:
        return None
    return _set(wanted, serving=number, proving=None, failed=None, share=1.0, words="")


def refused(wanted: Wanted, number: int, words: str) -> Wanted | None:
    """The provider refuses generation `number`: the one before is back; None as above."""
    if wanted.proving != number:
        return None
    return _set(wanted, proving=None, failed=number, share=1.0, words=words[:WORDS])


def undone(wanted: Wanted) -> Wanted:
    """Only what is proved is left. Conflict: nothing is open."""
    if wanted.rotation is None:
        raise Conflict("There is no change to undo.", code="no_rotation")
    return _set(wanted, proving=None, failed=None, share=1.0, words="")


def open_generation(wanted: Wanted, *, failed: bool) -> int:
    """The generation to confirm (proving) or retry (failed), else Conflict."""
    number = wanted.failed if failed else wanted.proving
    if number is None:
        what = "failed change to retry" if failed else "change to confirm"
        raise Conflict(f"There is no {what}.", code="no_rotation")
    return number


def refusal(outcomes: Sequence[Outcome]) -> str | None:
    """The provider's words if these outcomes speak against an unproved credential."""
    for outcome in outcomes:
        if outcome.kind is Kind.REFUSED:
            return outcome.reason or f"status {outcome.status}"
    if any(outcome.kind is Kind.ACCEPTED for outcome in outcomes):
        return None
    return next((one.reason for one in outcomes if one.reason in _MISMATCH), None)


def against(outcome: Outcome) -> bool:
    """Whether this outcome of an unproved credential is to be tried with the proved one."""
    return outcome.kind is Kind.REFUSED or outcome.reason in _MISMATCH

"""Retention: when a notification leaves the lists and when it is deleted, by its app's plan.

The age of a notification counts from the moment it was final: its last outcome, or its cancelling.
The plan that an app has now decides, also about what was sent under another; what was archived
stays archived. After a change of plan nothing of the app is archived or deleted for GRACE seconds,
so that a mistake or a downgrade can be taken back. Pure: times are Unix seconds, handed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.domain.plan import Plan

DAY = 86_400.0
GRACE = 7 * DAY


class Terms(NamedTuple):
    """Days after which a notification is archived and deleted; 0: never."""

    archive_after: int
    delete_after: int


class Cutoffs(NamedTuple):
    """What was final before then is to be archived, deleted; None: nothing is."""

    archive: float | None
    delete: float | None


NOTHING = Cutoffs(None, None)


def terms_of(plans: Mapping[str, Plan]) -> dict[str, Terms]:
    """Every plan's terms by its name."""
    return {name: Terms(plan.archive_after, plan.delete_after) for name, plan in plans.items()}


def cutoffs(terms: Terms | None, now: float, changed_at: float = 0.0) -> Cutoffs:
    """What is old under these terms, for an app whose plan was changed at `changed_at`.

    None, a plan that the settings know no more: nothing is, because nobody said so.
    """
    if terms is None or now - changed_at < GRACE:
        return NOTHING
    return Cutoffs(_before(terms.archive_after, now), _before(terms.delete_after, now))


def first_id(moment: float) -> str:
    """The id before which every one was made earlier than then: ids begin with their time."""
    text = f"{max(0, int(moment * 1000)):012x}"
    return f"{text[:8]}-{text[8:]}"


def _before(days: int, now: float) -> float | None:
    return now - days * DAY if days else None

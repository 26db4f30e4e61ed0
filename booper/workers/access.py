"""What is said to a token resolver, and what it says of itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import Call, Cast
from booper.domain.access import Resolution, ResolverStanding, Source

if TYPE_CHECKING:
    from booper.domain.access import Kept
    from booper.domain.secret import Secret
    from booper.providers.recipes import Recipe


@dataclass(frozen=True, slots=True)
class Acquire(Call[Resolution]):
    """A token, please."""


@dataclass(frozen=True, slots=True)
class Refresh(Call[Resolution]):
    """A token other than `rejected`; with None, one that no copy had.

    Once this is answered nobody is given the old one any more.
    """

    rejected: Secret | None = None


@dataclass(frozen=True, slots=True)
class Invalidate(Call[None]):
    """Forget the token `rejected`, with None whatever there is, without looking for another."""

    rejected: Secret | None = None


@dataclass(frozen=True, slots=True)
class SetManual(Call[Resolution]):
    """Use this one from now on (until `expires_at`, Unix seconds), and over restarts.

    Invalid if it is none; Unavailable (`override_not_stored`) and nothing changed if it cannot
    be stored, because nobody could find it again.
    """

    text: Secret
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class ClearManual(Call[bool]):
    """Use the other sources again; whether there was an override."""


@dataclass(frozen=True, slots=True)
class Inspect(Call[ResolverStanding]):
    """How is it going?"""


@dataclass(frozen=True, slots=True)
class Renew(Cast):
    """The token nears its end."""


@dataclass(frozen=True, slots=True)
class Look(Cast):
    """Is anybody still asking? What did other nodes do? `told`: one did something just now."""

    told: bool = False


def standing(recipe: Recipe, kept: Kept | None, now: float, wall: float) -> ResolverStanding:
    """What can be told of a resolver from its recipe and its good token alone."""
    return ResolverStanding(
        name=recipe.name,
        tenant=recipe.tenant,
        preset=recipe.preset,
        sources=recipe.sources,
        state="good" if kept else "idle",
        source=kept.source if kept else Source.NONE,
        expires_at=_unix(kept.until, now, wall) if kept else None,
        renew_at=_unix(kept.renew, now, wall) if kept else None,
    )


def _unix(moment: float, now: float, wall: float) -> float | None:
    return wall + moment - now if math.isfinite(moment) else None

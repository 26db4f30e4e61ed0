"""What the cast says to each other. A wake-up is only a hint: the row is the truth."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import ActorError, Call, Cast, Ref, Registry
from booper.domain.instance import Standing

if TYPE_CHECKING:
    from booper.domain.delivery import Batch


@dataclass(frozen=True, slots=True)
class Wake(Cast):
    """There may be something to do."""


@dataclass(frozen=True, slots=True)
class Send(Cast):
    """Send this batch and settle it."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Settled(Cast):
    """A batch is off the sender's hands, settled or lost."""

    batch: int


@dataclass(frozen=True, slots=True)
class Status(Call[Standing]):
    """How is it going?"""


def hint(registry: Registry, name: str, message: Cast) -> None:
    """Tell somebody who would find out anyway; nobody home, or too busy, is fine."""
    with contextlib.suppress(ActorError):
        Ref(registry, name).cast(message)

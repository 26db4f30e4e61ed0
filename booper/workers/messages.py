"""What the cast says to each other. A wake-up is only a hint: the row is the truth."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import ActorError, Call, Cast, Ref, Registry
from booper.domain.brake import Alarm, Drop
from booper.domain.instance import Standing
from booper.domain.outcome import Outcome
from booper.domain.receipt import Heard

if TYPE_CHECKING:
    from booper.domain.delivery import Batch
    from booper.domain.wanted import Wanted


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
class Declined(Cast):
    """A batch goes back unsent: whoever got it does not send now."""

    batch: int


@dataclass(frozen=True, slots=True)
class Resting(Cast):
    """The instance wants no batch for so many seconds; 0: as many as before."""

    instance: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Apply(Cast):
    """Be as this row says."""

    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Changed(Cast):
    """The row of this instance has changed, or is gone."""

    key: str


@dataclass(frozen=True, slots=True)
class Adopted(Cast):
    """This instance runs as this row says now."""

    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Missed(Cast):
    """Nobody knows what has changed meanwhile: look at everything."""


@dataclass(frozen=True, slots=True)
class Spread(Cast):
    """There is work that other nodes might help with."""


@dataclass(frozen=True, slots=True)
class Forgotten(Cast):
    """This node was taken for dead so long that its rows are gone: write them again."""


@dataclass(frozen=True, slots=True)
class Push(Call[list[Outcome]]):
    """Send this batch now, outside the outbox; one outcome per target, in order. Conflict:
    `instance_disabled`, `instance_stopped`."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Weigh(Call[Alarm | None]):
    """Receipts told of so many devices, and call these dead: is that one death too many?"""

    judged: int
    drops: tuple[Drop, ...]


@dataclass(frozen=True, slots=True)
class Status(Call[Standing]):
    """How is it going?"""


@dataclass(frozen=True, slots=True)
class Ask(Call[list[Heard]]):
    """What became of the pushes with these tickets? One answer for each, in order."""

    tickets: tuple[str, ...]


def hint(registry: Registry, name: str, message: Cast) -> None:
    """Tell somebody who would find out anyway; nobody home, or too busy, is fine."""
    with contextlib.suppress(ActorError):
        Ref(registry, name).cast(message)

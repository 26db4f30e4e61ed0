"""What actors send each other. A message is a frozen dataclass that inherits from Call or Cast.

@dataclass(frozen=True)
class Depth(Call[int]): ...
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Call(Generic[R_co]):
    """A message that wants an answer of type R."""

    __slots__ = ()


class Cast:
    """A message that wants nothing back."""

    __slots__ = ()


class Later(enum.Enum):
    """The type of LATER; a type checker can tell it from any answer."""

    LATER = "later"


LATER: Final = Later.LATER
"""Returned by `handle_call`: the answer comes through the Reply, later and from anywhere."""

NORMAL: Final = "normal"
"""Ended by itself or because it was asked to, with everything queued served."""

KILLED: Final = "killed"
"""Cancelled from outside."""

NOPROC: Final = "noproc"
"""There was nobody to end."""

CRASH: Final = "crash"
"""Ended by an exception; followed by a blank and the exception's type name where it is known."""


@dataclass(frozen=True, slots=True)
class Down(Cast):
    """The actor called `name` has ended.

    `reason` is NORMAL, KILLED, NOPROC, or CRASH with the exception's type name. The exception
    itself leaves the worker and is its supervisor's to report, through the supervisor's redactor.
    """

    name: str
    reason: str

    @property
    def abnormal(self) -> bool:
        """True unless the actor ended as it should."""
        return self.reason != NORMAL

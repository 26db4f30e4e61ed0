"""Hint: a small word from node to node that something has changed. The rows are the truth; a hint
that is lost costs time and nothing else."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

LONGEST = 512  # characters of one: ours are far shorter


class Kind(StrEnum):
    """What a hint is about; without a name it is about all of that kind."""

    INSTANCE = "instance"  # the row with this key
    CALLER = "caller"  # a credential of this name is good no more
    OVERRIDE = "override"  # the operator's access token of the resolver with this key
    WORK = "work"  # there is something to fan out or to send; the name is the node that says so
    CHECK = "check"  # nothing: does the listener hear at all?
    ALL = "all"  # too much was said at once


class Hint(NamedTuple):
    """One."""

    kind: Kind
    name: str = ""

    @property
    def text(self) -> str:
        """As it travels."""
        return f"{self.kind} {self.name}".rstrip()


def parsed(text: str) -> Hint | None:
    """What was said; None for what no Booper, or only a newer one, understands."""
    kind, _, name = text.partition(" ")
    if len(text) > LONGEST or kind not in set(Kind):
        return None
    return Hint(Kind(kind), name)

"""State machines as tables: the one stepper, and the picture drawn from the same table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import Enum

S = TypeVar("S", bound="Enum")
E = TypeVar("E", bound="Enum")


class IllegalStep(Exception):
    """An event that a state does not know; nothing has changed."""


class Machine(Generic[S, E]):
    """The steps allowed between states, as one table: state → event → next state."""

    def __init__(self, name: str, table: Mapping[S, Mapping[E, S]]) -> None:
        self.name = name
        self.table = table

    def step(self, state: S, event: E) -> S:
        """The state after `event`; raises IllegalStep where the table has none."""
        try:
            return self.table[state][event]
        except KeyError:
            raise IllegalStep(f"{self.name}: {event.value} in {state.value}") from None

    def final(self, state: S) -> bool:
        """Whether nothing can happen any more."""
        return not self.table.get(state)

    def diagram(self) -> str:
        """One line per step, for the README: `from --event--> to`."""
        return "\n".join(
            f"{state.value} --{event.value}--> {after.value}"
            for state, steps in self.table.items()
            for event, after in steps.items()
        )

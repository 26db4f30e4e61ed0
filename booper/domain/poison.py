"""Poison: a batch whose holder died is tried alone, and after so many deaths it is parked.

A death is an end that the batch may have caused: its instance's actor crashed, its process was
gone, its lease ran out. Whatever shared the holder's hands died with it and is as suspect; so
suspects are handed out one at a time, each alone, and only the guilty one dies again and again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

DEATHS = 3  # after so many a batch is parked
ALIKE = 2  # parked batches of one notification and instance after which the others are parked too
SOLO = 5.0  # seconds after which a suspect has shown that it does not kill at once

PROCESS = "the process that held it died"
LAPSE = "its lease ran out"
KIN = "other batches of its notification were parked"


def crash(reason: str) -> str:
    """Of what the batch's holder died: `reason` as its Down says it."""
    return f"its instance: {reason}"


def verdict(death: str) -> str:
    """The reason that the devices of a parked batch end with."""
    return f"parked after {DEATHS} deaths of its holder; the last: {death}"


class Isolation:
    """Which suspect is tried now: one at a time in a process, alone in its instance's hand."""

    def __init__(self) -> None:
        self.instance: str | None = None  # whose turn it is
        self._batch: int | None = None
        self._since = 0.0

    def choose(self, suspects: Sequence[str], able: Collection[str], now: float) -> None:
        """Whose turn it is now, of the instances with suspects, the longest waiting first; `able`
        may be handed something. A turn lasts until its batch is off, or has shown itself."""
        if self._batch is not None and now - self._since < SOLO:
            return
        if self._batch is None and self.instance in suspects and self.instance in able:
            return
        self._batch = None
        self.instance = next((name for name in suspects if name in able), None)

    def begin(self, batch: int, now: float) -> None:
        """This suspect is in its instance's hand."""
        self._batch, self._since = batch, now

    def end(self, batch: int) -> None:
        """That batch is in nobody's hand any more; perhaps it was the suspect."""
        if batch == self._batch:
            self._batch = self.instance = None

    @property
    def waits(self) -> bool:
        """Whether an instance is to be handed its suspect, as soon as its hand is empty."""
        return self.instance is not None and self._batch is None

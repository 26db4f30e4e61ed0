"""Batch, and what one try of it means: the decision behind every settlement.

A batch is a notification × a route × a run of devices. Settling it writes the final outcomes,
marks the devices that are gone, and schedules the rest as new batches of just those devices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.domain import retry
from booper.domain.outcome import FINAL, Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH_SIZE = 500  # devices in one batch at most


class Target(msgspec.Struct, frozen=True, gc=False):
    """One device of a batch: its row number, its address there, when it was last registered."""

    device: int
    token: str
    registered_at: float


class Batch(msgspec.Struct, frozen=True):
    """A leased batch, ready to send. `attempt` counts the tries begun, this one included;
    `content` is JSON."""

    number: int
    lease: str
    notification: int
    notification_id: str
    instance: str
    attempt: int
    content: str
    created_at: float
    expires_at: float
    targets: tuple[Target, ...]


class Result(msgspec.Struct, frozen=True, gc=False):
    """One device's final outcome, as it is stored."""

    device: int
    outcome: Outcome


class Again(msgspec.Struct, frozen=True):
    """Devices to try again together: when (Unix seconds), as which attempt, for what reason."""

    due_at: float
    attempt: int
    devices: tuple[int, ...]
    reason: str


class Settlement(msgspec.Struct, frozen=True):
    """All that one try of a batch changes; written in one transaction under the batch's lease."""

    batch: int
    lease: str
    notification: int
    final: tuple[Result, ...]
    gone: tuple[int, ...]
    again: tuple[Again, ...]
    maybe_doubled: int

    def count(self, kind: Kind) -> int:
        """How many devices ended as `kind`."""
        return sum(1 for result in self.final if result.outcome.kind is kind)


def settle(batch: Batch, outcomes: Sequence[Outcome], *, now: float, dice: float) -> Settlement:
    """What the outcomes of one try mean; `outcomes` are in the order of `batch.targets`."""
    if len(outcomes) != len(batch.targets):
        raise ValueError(f"{len(batch.targets)} devices, {len(outcomes)} outcomes")
    kinds = [outcome.kind for outcome in outcomes]
    if kinds.count(Kind.ACCEPTED) == len(kinds):  # nearly always; 0.27 -> 0.1 us a device
        devices = [target.device for target in batch.targets]
        accepted = tuple(map(Result, devices, outcomes))
        return Settlement(batch.number, batch.lease, batch.notification, accepted, (), (), 0)
    final: list[Result] = []
    gone: list[int] = []
    waiting: dict[tuple[float, bool, str], list[tuple[Target, bool]]] = {}
    maybe = 0
    for target, outcome in zip(batch.targets, outcomes, strict=True):
        if outcome.kind in FINAL:
            if outcome.kind is Kind.GONE and _stale(outcome, target):
                outcome = Outcome(Kind.FAILED, outcome.status, outcome.reason)
            elif outcome.kind is Kind.GONE:
                gone.append(target.device)
            final.append(Result(target.device, outcome))
        else:
            refused = outcome.kind is Kind.REFUSED
            key = (outcome.after, refused, outcome.reason)
            waiting.setdefault(key, []).append((target, outcome.maybe_sent))
    again: list[Again] = []
    for (after, refused, reason), targets in waiting.items():
        # A refused credential is not the devices' fault: it uses up none of their tries.
        attempt = batch.attempt - 1 if refused else batch.attempt
        due = now + retry.delay(max(batch.attempt, 1), after, dice)
        if attempt >= retry.BUDGET or due > batch.expires_at:
            dead = Outcome(Kind.EXPIRED, 0, reason)
            final.extend(Result(target.device, dead) for target, _ in targets)
        else:
            again.append(Again(due, attempt, tuple(t.device for t, _ in targets), reason))
            maybe += sum(sent for _, sent in targets)
    return Settlement(
        batch.number,
        batch.lease,
        batch.notification,
        tuple(final),
        tuple(gone),
        tuple(again),
        maybe,
    )


def _stale(outcome: Outcome, target: Target) -> bool:
    """Whether the device was registered anew after the provider saw it go: then it is kept."""
    return outcome.since is not None and target.registered_at > outcome.since

"""Batch, and what one try of it means: the decision behind every settlement.

A batch is a notification × a route × a run of devices. Settling it writes the final outcomes,
marks the devices that are gone, and schedules the rest as new batches of just those devices.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from booper.domain import retry
from booper.domain.brake import Alarm, suspects
from booper.domain.outcome import FINAL, Kind, Outcome
from booper.domain.receipt import Ticket

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
    `content` is JSON; `created_at`: when it was said, or was to be said if that was later; `line`:
    whose turn it takes (see domain/fairness.py)."""

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
    line: int = 0


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
    """All that one try of a batch changes; written in one transaction under the batch's lease.

    `suspects`: devices of which the provider doubts the address; `alarm`: the brake goes on;
    `absent` and `present`: devices at which nobody listened, and those whose absence has an end.
    """

    batch: int
    lease: str
    notification: int
    final: tuple[Result, ...]
    gone: tuple[int, ...]
    again: tuple[Again, ...]
    maybe_doubled: int
    suspects: tuple[int, ...] = ()
    alarm: Alarm | None = None
    absent: tuple[int, ...] = ()
    present: tuple[int, ...] = ()
    tickets: tuple[Ticket, ...] = ()  # of the accepted ones, where receipts are to be asked for

    def counts(self) -> Counter[Kind]:
        """How many devices ended as what."""
        return Counter(result.outcome.kind for result in self.final)


def settle(batch: Batch, outcomes: Sequence[Outcome], *, now: float, dice: float) -> Settlement:
    """What the outcomes of one try mean; `outcomes` are in the order of `batch.targets`."""
    if len(outcomes) != len(batch.targets):
        raise ValueError(f"{len(batch.targets)} devices, {len(outcomes)} outcomes")
    kinds = [outcome.kind for outcome in outcomes]
    if kinds.count(Kind.ACCEPTED) == len(kinds) and not _listened(
        outcomes
    ):  # nearly always; 0.27 -> 0.1 us a device
        devices = [target.device for target in batch.targets]
        accepted = tuple(map(Result, devices, outcomes))
        return Settlement(batch.number, batch.lease, batch.notification, accepted, (), (), 0)
    final: list[Result] = []
    gone: list[int] = []
    waiting: dict[tuple[float, Kind, str], list[tuple[Target, bool]]] = {}
    maybe = 0
    for target, outcome in zip(batch.targets, outcomes, strict=True):
        if outcome.kind in FINAL:
            if outcome.kind is Kind.GONE and _stale(outcome, target):
                outcome = Outcome(Kind.FAILED, outcome.status, outcome.reason)
            elif outcome.kind is Kind.GONE:
                gone.append(target.device)
            final.append(Result(target.device, outcome))
        else:
            key = (outcome.after, outcome.kind, outcome.reason)
            waiting.setdefault(key, []).append((target, outcome.maybe_sent))
    again: list[Again] = []
    for (after, kind, reason), targets in waiting.items():
        # A refused credential or a pause is not the devices' fault: it uses up none of their tries.
        attempt = batch.attempt if kind is Kind.RETRY else batch.attempt - 1
        held = kind is Kind.HELD
        due = now + (after if held else retry.delay(max(batch.attempt, 1), after, dice))
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
        suspects(batch, outcomes),
        absent=_devices(batch, outcomes, listening=False),
        present=_devices(batch, outcomes, listening=True),
    )


def ticketed(settlement: Settlement, now: float) -> Settlement:
    """The same, with a ticket for every push accepted with a `provider_id`.

    For providers that tell more later; the others' settlements are left as they are.
    """
    tickets = tuple(
        Ticket(settlement.notification, result.device, result.outcome.provider_id, now)
        for result in settlement.final
        if result.outcome.kind is Kind.ACCEPTED and result.outcome.provider_id
    )
    return msgspec.structs.replace(settlement, tickets=tickets) if tickets else settlement


def _listened(outcomes: Sequence[Outcome]) -> bool:
    """Whether this provider tells if anybody listens: it tells of the first, or of none."""
    return bool(outcomes) and outcomes[0].listening is not None


def _devices(batch: Batch, outcomes: Sequence[Outcome], *, listening: bool) -> tuple[int, ...]:
    """Who was there, or not; a device that is given up has nothing more to be remembered."""
    return tuple(
        target.device
        for target, outcome in zip(batch.targets, outcomes, strict=True)
        if outcome.listening is not None
        and (outcome.listening or outcome.kind is Kind.GONE) is listening
    )


def _stale(outcome: Outcome, target: Target) -> bool:
    """Whether the device was registered anew after the provider saw it go: then it is kept."""
    return outcome.since is not None and target.registered_at > outcome.since

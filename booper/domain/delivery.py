"""Batch, and what one try of it means: the decision behind every settlement.

A batch is a notification × a route × a run of devices. Settling it writes the final outcomes,
marks the devices that are gone, and schedules the rest as new batches of just those devices.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain import retry
from booper.domain.brake import Alarm, suspects
from booper.domain.outcome import ACCEPTED, FINAL, Kind, Outcome
from booper.domain.receipt import Ticket

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH_SIZE = 500  # devices in one batch at most
End = tuple[Kind, int, str]


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


class Ended(NamedTuple):
    """Devices that ended alike. `provider_ids`: one for each of them, or none at all."""

    kind: Kind
    status: int
    reason: str
    devices: Sequence[int]
    provider_ids: Sequence[str] = ()


class Again(msgspec.Struct, frozen=True):
    """Devices to try again together: when (Unix seconds), as which attempt, for what reason."""

    due_at: float
    attempt: int
    devices: tuple[int, ...]
    reason: str


class Settlement(msgspec.Struct, frozen=True):
    """All that one try of a batch changes; written in one transaction under the batch's lease.

    `attempt`: which try it was; `suspects`: devices of which the provider doubts the address;
    `alarm`: the brake goes on; `absent` and `present`: devices at which nobody listened, and those
    whose absence has an end.
    """

    batch: int
    lease: str
    notification: int
    attempt: int
    final: tuple[Ended, ...]
    gone: tuple[int, ...]
    again: tuple[Again, ...]
    maybe_doubled: int
    suspects: tuple[int, ...] = ()
    alarm: Alarm | None = None
    absent: tuple[int, ...] = ()
    present: tuple[int, ...] = ()
    tickets: tuple[Ticket, ...] = ()  # of the accepted ones, where receipts are to be asked for

    @property
    def usual(self) -> bool:
        """Whether all its devices ended alike, and nothing follows."""
        more = self.again or self.gone or self.suspects or self.absent or self.present
        alike = len(self.final) == 1 and len(self.final[0].devices) > 0
        return alike and not (more or self.tickets) and self.alarm is None

    def counts(self) -> Counter[Kind]:
        """How many devices ended as what."""
        counts: Counter[Kind] = Counter()
        for ended in self.final:
            counts[ended.kind] += len(ended.devices)
        return counts

    def reasons(self) -> dict[int, str]:
        """By device, in the provider's words."""
        return {device: ended.reason for ended in self.final for device in ended.devices}


def settle(batch: Batch, outcomes: Sequence[Outcome], *, now: float, dice: float) -> Settlement:
    """What the outcomes of one try mean; `outcomes` are in the order of `batch.targets`."""
    if len(outcomes) != len(batch.targets):
        raise ValueError(f"{len(batch.targets)} devices, {len(outcomes)} outcomes")
    whose = (batch.number, batch.lease, batch.notification, batch.attempt)
    if outcomes.count(ACCEPTED) == len(outcomes):  # nearly always; told by the object alone
        usual = Ended(*_end(ACCEPTED), [target.device for target in batch.targets])
        return Settlement(*whose, (usual,), (), (), 0)
    final: dict[End, tuple[list[int], list[str]]] = {}
    gone: list[int] = []
    waiting: dict[tuple[float, Kind, str], list[tuple[Target, bool]]] = {}
    maybe = 0
    for target, outcome in zip(batch.targets, outcomes, strict=True):
        if outcome.kind in FINAL:
            if outcome.kind is Kind.GONE and _stale(outcome, target):
                outcome = Outcome(Kind.FAILED, outcome.status, outcome.reason)
            elif outcome.kind is Kind.GONE:
                gone.append(target.device)
            devices, provider_ids = final.setdefault(_end(outcome), ([], []))
            devices.append(target.device)
            provider_ids.append(outcome.provider_id)
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
            devices, provider_ids = final.setdefault((Kind.EXPIRED, 0, reason), ([], []))
            devices.extend(target.device for target, _ in targets)
            provider_ids.extend([""] * len(targets))
        else:
            again.append(Again(due, attempt, tuple(t.device for t, _ in targets), reason))
            maybe += sum(sent for _, sent in targets)
    return Settlement(
        *whose,
        tuple(Ended(*end, some, ids if any(ids) else ()) for end, (some, ids) in final.items()),
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
        Ticket(settlement.notification, device, own, now)
        for ended in settlement.final
        if ended.kind is Kind.ACCEPTED
        for device, own in zip(ended.devices, ended.provider_ids, strict=False)
        if own
    )
    return msgspec.structs.replace(settlement, tickets=tickets) if tickets else settlement


def _end(outcome: Outcome) -> End:
    return outcome.kind, outcome.status, outcome.reason


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

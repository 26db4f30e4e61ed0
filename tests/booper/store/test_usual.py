"""The usual settlement writes what the general one writes, however it is told to the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest
import trio

from booper.domain.delivery import Settlement, settle, ticketed
from booper.domain.outcome import ACCEPTED, Kind, Outcome
from booper.ports import Sql
from booper.store import delivery_runs, settlements, usual
from tests.booper.store.seeds import (
    NOW,
    ROUTES,
    claim,
    expand_all,
    listeners,
    notify,
    progress,
    registration,
    rows,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.delivery import Batch
    from booper.ports import Database, Tx

FEW, MANY = delivery_runs.LEAST - 1, delivery_runs.LEAST + 1
_ALL = (
    "SELECT notification, device, outcome, status, reason, provider_id, attempt, finished_at"
    " FROM every_delivery ORDER BY notification, device"
)


class At(NamedTuple):
    """A clock that stands."""

    at: float = NOW + 1

    def wall(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


CLOCK = At()


async def batches(database: Database, *sizes: int) -> list[Batch]:
    """One for each, of a notification of its own (n0, n1 …); leased."""

    async def work(tx: Tx) -> None:
        for number, size in enumerate(sizes):
            some = [registration(1_000 * number + n) for n in range(size)]
            await listeners(tx, some, f"room{number}")
            await notify(tx, f"n{number}", f"room{number}")

    await database.write(work)
    await expand_all(database, ROUTES)
    return await claim(database)


def ended(batch: Batch, outcome: Outcome) -> Settlement:
    done = settle(batch, [outcome] * len(batch.targets), now=NOW, dice=0.0)
    assert done.usual
    return done


@pytest.mark.parametrize(
    "outcome",
    [
        ACCEPTED,
        Outcome(Kind.ACCEPTED, 200, provider_id="p-1"),
        Outcome(Kind.FAILED, 400, "BadTopic 💥 'x'"),
        Outcome(Kind.EXPIRED, 0, "late"),
    ],
)
async def test_it_writes_what_the_general_one_writes(database: Database, outcome: Outcome) -> None:
    held = await batches(database, FEW, MANY, FEW, MANY)
    for work, pair in ((settlements.settle_all, held[:2]), (usual.settle, held[2:])):
        done = [ended(batch, outcome) for batch in pair]
        assert await database.write(work, CLOCK, done) == [True, True]
    devices = [(batch.notification, target.device) for batch in held for target in batch.targets]
    table = await rows(database, _ALL)
    assert [row[:2] for row in table] == devices
    end = (outcome.kind.value, outcome.status, outcome.reason, outcome.provider_id, 1, CLOCK.at)
    assert {row[2:] for row in table} == {end}
    for number in range(4):
        shown = await progress(database, f"n{number}")
        assert (shown.state, shown.pending) == ("done", 0)
        assert shown.counts[outcome.kind.value] == shown.devices
        assert shown.finished_at == CLOCK.at
    assert await rows(database, "SELECT 1 FROM batches") == []
    kept = await rows(database, "SELECT count(*) FROM delivery_runs")
    assert kept == [(2,)], "of the larger ones"


async def test_who_lost_the_lease_writes_nothing(database: Database) -> None:
    held = await batches(database, MANY, FEW)
    done = [ended(batch, ACCEPTED) for batch in held]
    stale = msgspec.structs.replace(done[0], lease="another")
    assert await database.write(usual.settle, CLOCK, [stale, done[1]]) == [False, True]
    assert (await progress(database, "n0")).pending == MANY
    assert (await progress(database, "n1")).pending == 0
    again = await database.write(usual.settle, CLOCK, done)
    assert again == [True, False], "each only once"
    assert (await progress(database, "n0")).counts["accepted"] == MANY
    assert len(await rows(database, _ALL)) == MANY + FEW


async def test_many_at_once_of_the_same_notifications(database: Database) -> None:
    """Each locks the accounts in one order, and adds to what the others have written."""
    held = await batches(database, 60, 60)
    parts = [part for batch in held for part in await split(database, batch, 12)]
    answers: list[bool] = []

    async def write(some: Sequence[Settlement]) -> None:
        answers.extend(await database.write(usual.settle, CLOCK, some))

    async with trio.open_nursery() as nursery:
        for one, other in zip(parts[:5], reversed(parts[5:]), strict=True):
            nursery.start_soon(write, [ended(other, ACCEPTED), ended(one, ACCEPTED)])
    assert answers == [True] * 10
    for own in ("n0", "n1"):
        shown = await progress(database, own)
        assert (shown.state, shown.counts["accepted"], shown.pending) == ("done", 60, 0)
    assert len(await rows(database, _ALL)) == 120


async def split(database: Database, batch: Batch, size: int) -> list[Batch]:
    """The batch in pieces, leased alike."""
    insert = Sql(
        "INSERT INTO batches (notification, instance, devices, size, due_at, line, lease,"
        " lease_until) VALUES (?, 'main', ?, ?, 0, ?, 'lease', 1e12) RETURNING number"
    )
    pieces: list[Batch] = []

    async def work(tx: Tx) -> None:
        pieces.clear()
        await tx.execute(Sql("DELETE FROM batches WHERE number = ?"), batch.number)
        for at in range(0, len(batch.targets), size):
            some = batch.targets[at : at + size]
            listed = msgspec.json.encode([target.device for target in some]).decode()
            own = (batch.notification, listed, len(some), batch.line)
            ((number,),) = await tx.fetch(insert, *own)
            pieces.append(msgspec.structs.replace(batch, number=number, targets=some))

    await database.write(work)
    return pieces


async def test_what_follows_from_is_not_usual(database: Database) -> None:
    (batch,) = await batches(database, 3)
    busy, gone = Outcome(Kind.RETRY, 503, "busy"), Outcome(Kind.GONE, 410, "Unregistered")
    ticket = Outcome(Kind.ACCEPTED, 200, provider_id="t")
    for outcomes in ([busy] * 3, [gone] * 3, [ACCEPTED, ACCEPTED, busy]):
        assert not settle(batch, outcomes, now=NOW, dice=0.0).usual
    assert not ticketed(settle(batch, [ticket] * 3, now=NOW, dice=0.0), NOW).usual

"""The outbox: leases, fences and settlements; whoever lost its lease writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
import trio

from booper.clock import SystemClock
from booper.domain.delivery import Batch, settle
from booper.domain.outcome import ACCEPTED, Kind, Outcome
from booper.domain.routing import Routes
from booper.ports import Sql
from booper.store import channels, devices, fanouts, notifications, outbox, settlements
from booper.store.notifications import Accepted
from booper.store.outbox import Held
from tests.booper.store.seeds import (
    NOW,
    ROUTES,
    audience,
    claim,
    expand_all,
    listeners,
    notify,
    progress,
    registration,
    rows,
    run_sql,
)

if TYPE_CHECKING:
    from booper.ports import Database, Tx

AGAIN = Outcome(Kind.RETRY, 503, "busy", maybe_sent=True)


async def settled(database: Database, batch: Batch, *outcomes: Outcome, now: float = NOW) -> bool:
    """The outcomes written (one for all, or one each); whether the lease still held."""
    each = outcomes * len(batch.targets) if len(outcomes) == 1 else outcomes
    done = settle(batch, each, now=now, dice=0.5)
    (kept,) = await database.write(settlements.settle, [done], now)
    return bool(kept)


async def everything(database: Database) -> list[object]:
    """All that a settlement may write."""
    return [
        await rows(database, f"SELECT * FROM {table} ORDER BY 1")
        for table in ("batches", "every_delivery", "notifications", "devices")
    ]


async def test_a_claimed_batch_says_all_that_a_sender_needs(database: Database) -> None:
    numbers = await audience(database, 3)
    await expand_all(database)
    (batch,) = await claim(database)
    assert (batch.lease, batch.notification_id, batch.instance) == ("lease", "n1", "main")
    assert (batch.attempt, batch.content) == (1, "{}")
    assert (batch.created_at, batch.expires_at) == (NOW, NOW + 86_400)
    assert [(t.device, t.token, t.registered_at) for t in batch.targets] == [
        (number, f"{n:064x}", NOW) for n, number in enumerate(numbers)
    ]
    ((until, node),) = await rows(database, "SELECT lease_until, leased_by FROM batches")
    assert (until, node) == (NOW + 30, "node")


async def test_a_claim_takes_what_is_due_and_its_own_and_no_more_than_there_is_room(
    database: Database,
) -> None:
    await audience(database, 5)
    routes = Routes({"main": "apns", "other": "apns"}, {"apns": "main"})
    await database.write(devices.register, [registration(9, "other")], NOW)
    while await database.write(fanouts.expand, routes, 0, NOW, 1) is not None:
        pass
    assert await claim(database, now=NOW - 1) == [], "not due yet"
    assert await claim(database, instance="other") == []
    first = await claim(database, 2, lease="one")
    second = await claim(database, 9, lease="two")
    assert [len(first), len(second)] == [2, 3]
    assert not {b.number for b in first} & {b.number for b in second}
    assert await claim(database) == []
    assert await database.read(outbox.waiting) == []


_COPY = Sql(
    "INSERT INTO batches (notification, instance, devices, size, due_at)"
    " SELECT notification, ?1, devices, size, ?2 FROM batches LIMIT 1",
    "INSERT INTO batches (notification, instance, devices, size, due_at)"
    " SELECT notification, $1, devices, size, $2 FROM batches LIMIT 1",
)


async def test_who_waits_since_when_is_one_look(database: Database) -> None:
    assert await database.read(outbox.waiting) == []
    await audience(database, 1)
    await expand_all(database)
    assert await database.read(outbox.waiting) == [("main", NOW)]

    async def others(tx: Tx) -> None:
        for name, due in (("a", NOW + 1), ("z", NOW + 3), ("z", NOW + 2)):
            await tx.execute(_COPY, name, due)

    await database.write(others)
    wanted = [("a", NOW + 1), ("main", NOW), ("z", NOW + 2)]
    assert await database.read(outbox.waiting) == wanted
    await claim(database)
    assert await database.read(outbox.waiting) == [wanted[0], wanted[2]], "leased is not waiting"


async def test_a_settlement_writes_outcomes_counts_and_retries_at_once(
    database: Database,
) -> None:
    numbers = await audience(database, 5)
    await expand_all(database)
    (batch,) = await claim(database)
    gone = Outcome(Kind.GONE, 410, "Unregistered")
    failed = Outcome(Kind.FAILED, 413, "PayloadTooLarge", provider_id="p")
    assert await settled(database, batch, ACCEPTED, gone, failed, AGAIN, AGAIN)
    shown = await progress(database)
    assert shown.state == "sending"
    assert (shown.pending, shown.retried, shown.maybe_doubled) == (2, 2, 2)
    assert shown.counts == {
        "accepted": 1,
        "failed": 1,
        "gone": 1,
        "expired": 0,
        "not_configured": 0,
        "delivered": 0,
        "receipt_unknown": 0,
    }
    sql = "SELECT device, outcome, status, reason, provider_id, attempt FROM every_delivery"
    assert await rows(database, sql + " ORDER BY device") == [
        (numbers[0], "accepted", 200, "", "", 1),
        (numbers[1], "gone", 410, "Unregistered", "", 1),
        (numbers[2], "failed", 413, "PayloadTooLarge", "p", 1),
    ]
    alive = await rows(database, "SELECT number FROM devices WHERE gone_at IS NULL ORDER BY 1")
    assert alive == [(number,) for number in numbers if number != numbers[1]]
    ((run, size, attempt, due, reason),) = await rows(
        database, "SELECT devices, size, attempt, due_at, last_reason FROM batches"
    )
    assert (msgspec.json.decode(run), size, attempt, reason) == (numbers[3:], 2, 1, "busy")
    (again,) = await claim(database, lease="second", now=due)
    assert again.attempt == 2
    assert await settled(database, again, ACCEPTED, now=due)
    shown = await progress(database)
    assert (shown.state, shown.counts["accepted"], shown.finished_at) == ("done", 3, due)


@pytest.mark.parametrize("taken", ["by nobody", "by another", "and settled by another"])
async def test_whoever_lost_its_lease_writes_nothing(database: Database, taken: str) -> None:
    await audience(database, 3)
    await expand_all(database)
    (old,) = await claim(database, lease="old")
    await database.write(outbox.release_expired, NOW + 31)
    if taken != "by nobody":
        (new,) = await claim(database, lease="new", now=NOW + 31)
        assert new.number == old.number
        if taken == "and settled by another":
            assert await settled(database, new, ACCEPTED)
    before = await everything(database)
    for outcome in (ACCEPTED, AGAIN, Outcome(Kind.GONE, 410, "Unregistered")):
        assert not await settled(database, old, outcome)
    await database.write(outbox.renew, [Held(old.number, "old")], NOW + 99)

    async def give_back() -> None:
        held = [Held(old.number, "old")]
        await database.write(lambda tx: outbox.release(tx, held, NOW + 99, doubt=True))

    await give_back()
    assert await everything(database) == before


async def test_a_settlement_of_several_batches_fences_each_alone(database: Database) -> None:
    await audience(database, 2)
    while await database.write(fanouts.expand, ROUTES, 0, NOW, 1) is not None:
        pass
    lost, held = await claim(database)
    await database.write(run_sql, "UPDATE batches SET lease = 'x' WHERE number = ?", lost.number)
    both = [settle(b, [ACCEPTED], now=NOW, dice=0.5) for b in (lost, held)]
    assert await database.write(settlements.settle, both, NOW) == [False, True]
    assert (await progress(database)).counts["accepted"] == 1


async def test_what_waits_to_be_settled_goes_together_and_adds_up(database: Database) -> None:
    """Batches of two notifications, all ends mixed, from many callers at one moment."""
    await audience(database, 8, "n1")
    await audience(database, 8, "n2")
    await expand_all(database, size=2)
    batches = await claim(database)
    assert len(batches) == 8
    clock, ends = SystemClock(), [ACCEPTED, AGAIN]
    kept: list[bool] = []

    async def settle_one(place: int, batch: Batch) -> None:
        mixed = [ends[place % 2], ACCEPTED]
        done = settle(batch, mixed, now=NOW, dice=0.5)
        kept.append(await database.gather(settlements.settle_all, clock, done, weight=99))

    async with trio.open_nursery() as nursery:
        for place, batch in enumerate(batches):
            nursery.start_soon(settle_one, place, batch)
    assert kept == [True] * 8
    for own in ("n1", "n2"):
        shown = await progress(database, own)
        assert (shown.counts["accepted"], shown.pending, shown.retried) == (6, 2, 2)
        assert shown.maybe_doubled == 2
    sizes = await rows(database, "SELECT size, attempt FROM batches")
    assert sizes == [(1, 1)] * 4
    again = [settle(one, [ACCEPTED] * 2, now=NOW, dice=0.5) for one in batches]
    assert not any(await database.write(settlements.settle, again, NOW)), "each only once"


async def test_a_renewed_lease_lives_on_and_a_forgotten_one_is_counted(
    database: Database,
) -> None:
    await audience(database, 4)
    while await database.write(fanouts.expand, ROUTES, 0, NOW, 2) is not None:
        pass
    kept, lost = await claim(database)
    assert not await database.read(outbox.expired, NOW + 30)
    await database.write(outbox.renew, [Held(kept.number, kept.lease)], NOW + 60)
    assert await database.read(outbox.expired, NOW + 31)
    assert await database.write(outbox.release_expired, NOW + 31) == 1
    assert not await database.read(outbox.expired, NOW + 31)
    assert (await progress(database)).maybe_doubled == len(lost.targets) == 2
    assert [b.number for b in await claim(database, lease="new", now=NOW + 31)] == [lost.number]
    assert await settled(database, kept, ACCEPTED)


@pytest.mark.parametrize("doubt", [False, True])
async def test_a_batch_given_back_is_due_again_and_doubted_if_it_may_be_out(
    database: Database, doubt: bool
) -> None:
    await audience(database, 2)
    await expand_all(database)
    (batch,) = await claim(database)
    held = [Held(batch.number, batch.lease)]
    await database.write(lambda tx: outbox.release(tx, held, NOW + 5, doubt=doubt))
    assert (await progress(database)).maybe_doubled == (2 if doubt else 0)
    assert await claim(database, now=NOW + 4) == []
    (again,) = await claim(database, now=NOW + 5)
    assert (again.number, again.attempt) == (batch.number, 1)


async def test_at_the_start_every_lease_of_a_dead_process_is_given_back(
    database: Database,
) -> None:
    await audience(database, 3)
    await expand_all(database)
    await claim(database)
    assert await database.write(outbox.release_all) == 1
    assert await database.write(outbox.release_all) == 0
    assert (await progress(database)).maybe_doubled == 3
    assert len(await claim(database)) == 1


async def test_a_device_deleted_in_between_has_no_token(database: Database) -> None:
    one, two = await audience(database, 2)
    await expand_all(database)
    await database.write(run_sql, "DELETE FROM devices WHERE number = ?", one)
    (batch,) = await claim(database)
    assert [(t.device, bool(t.token)) for t in batch.targets] == [(one, False), (two, True)]


async def test_two_notifications_do_not_mix_their_accounts(database: Database) -> None:
    await audience(database, 2)
    await database.write(notify, "n2")
    await expand_all(database)
    first, second = await claim(database)
    assert await settled(database, first, ACCEPTED)
    assert await settled(database, second, Outcome(Kind.FAILED, 400, "BadTopic"))
    assert (await progress(database, "n1")).counts["accepted"] == 2
    assert (await progress(database, "n2")).counts["failed"] == 2
    assert {(await progress(database, own)).state for own in ("n1", "n2")} == {"done"}


async def test_what_was_to_be_said_later_lives_from_then_on(database: Database) -> None:
    """A provider is told when a push is no longer worth showing; counted from the request it
    would be over before it is sent."""
    then = NOW + 86_400

    async def later(tx: Tx) -> None:
        await listeners(tx, [registration(1)])
        room = await channels.ensure(tx, "channel-news", "news", NOW)
        accepted = Accepted("n1", room, "{}", NOW, then + 600, scheduled_at=then)
        await notifications.accept(tx, [accepted])
        await fanouts.queue_due(tx, then, 10)

    await database.write(later)
    await expand_all(database)
    (batch,) = await claim(database, now=then)
    assert (batch.created_at, batch.expires_at) == (then, then + 600)

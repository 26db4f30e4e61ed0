"""Resending: a receipt that allows it takes an accepted push back, and it goes out once more."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from booper.domain import retry
from booper.domain.delivery import settle, ticketed
from booper.domain.fairness import line
from booper.domain.outcome import Kind, Outcome
from booper.domain.receipt import MISSING, Heard, Ticket, judge
from booper.ports import Sql
from booper.store import channels, confirmations, devices, notifications, receipts, settlements
from booper.store.notifications import Accepted
from tests.booper.store import seeds
from tests.booper.store.seeds import NOW
from tests.booper.store.test_retention import app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Database, Tx

LATER = NOW + 900
AGAIN = LATER + 60  # what Expo's words ask for, with dice of 0
RATE = Outcome(Kind.RETRY, 200, "MessageRateExceeded", after=60.0)
DELIVERED = Outcome(Kind.DELIVERED, 200)
WAITING = (
    "SELECT instance, size, attempt, due_at, last_reason, line FROM batches ORDER BY size DESC"
)


async def send(database: Database, now: float = NOW) -> list[int]:
    """Everything that is due, accepted with a ticket of that try; how large the batches were."""
    await seeds.expand_all(database)
    sizes = []
    for batch in await seeds.claim(database, now=now):
        outcomes = [
            Outcome(Kind.ACCEPTED, 200, provider_id=f"{target.device}/{batch.attempt}")
            for target in batch.targets
        ]
        done = ticketed(settle(batch, outcomes, now=now, dice=0.0), now)
        assert await database.write(settlements.settle, [done], now) == [True]
        sizes.append(len(batch.targets))
    return sizes


async def due(database: Database, now: float = LATER) -> list[Ticket]:
    """The tickets to be asked for, by device."""
    found = await database.write(receipts.claim, "main", now, now + 30, 5000)
    return sorted(found, key=lambda ticket: (ticket.notification, ticket.device))


async def hear(
    database: Database, tickets: Sequence[Ticket], heard: Sequence[Heard], now: float = LATER
) -> int:
    verdict = judge(tickets, heard, now=now, dice=0.0)
    return await database.write(receipts.settle, "main", verdict, now)


async def shown(database: Database, own: str = "n1") -> tuple[str, int, dict[str, int]]:
    """Its state, how many are pending, and the counts that are not 0; `retried` among them."""
    found = await seeds.progress(database, own)
    assert (found.finished_at is None) is (found.state != "done")
    counts = {**found.counts, "retried": found.retried}
    return found.state, found.pending, {kind: count for kind, count in counts.items() if count}


async def test_it_is_taken_back_sent_again_and_ends_once(database: Database) -> None:
    await seeds.audience(database, 3)
    await send(database)
    tickets = await due(database)
    assert [(t.attempt, t.expires_at) for t in tickets] == [(1, NOW + 86_400)] * 3
    assert await hear(database, tickets, [RATE, DELIVERED, RATE]) == 3
    assert await shown(database) == ("sending", 2, {"delivered": 1, "retried": 2})
    ((room,),) = await seeds.rows(database, "SELECT number FROM channels")
    assert await seeds.rows(database, WAITING) == [
        ("main", 2, 1, AGAIN, "MessageRateExceeded", line(room))
    ]
    assert await database.read(receipts.waiting) == []
    assert await send(database, AGAIN - 1) == []
    assert await send(database, AGAIN) == [2]
    assert await shown(database) == ("done", 0, {"accepted": 2, "delivered": 1, "retried": 2})
    again = await due(database, AGAIN + 900)
    assert [(t.id, t.attempt) for t in again] == [(f"{t.device}/2", 2) for t in again]
    assert await hear(database, again, [DELIVERED, DELIVERED], AGAIN + 900) == 2
    assert await shown(database) == ("done", 0, {"delivered": 3, "retried": 2})
    assert await seeds.rows(database, "SELECT attempt FROM deliveries ORDER BY device") == [
        (2,),
        (1,),
        (2,),
    ]


async def test_the_same_word_twice_sends_once(database: Database) -> None:
    await seeds.audience(database, 2)
    await send(database)
    tickets = await due(database)
    assert await hear(database, tickets, [RATE, RATE]) == 2
    assert await hear(database, tickets, [RATE, DELIVERED]) == 0
    assert await send(database, AGAIN) == [2]
    # The word on the first try says nothing of the second, whose ticket is another.
    assert await hear(database, tickets, [RATE, DELIVERED], AGAIN) == 0
    assert await shown(database) == ("done", 0, {"accepted": 2, "retried": 2})


async def test_after_the_last_try_or_out_of_time_it_is_expired(database: Database) -> None:
    await seeds.audience(database, 1)
    now = NOW
    for attempt in range(1, retry.BUDGET):
        assert await send(database, now) == [1]
        assert await hear(database, await due(database, now + 900), [RATE], now + 900) == 1
        assert (await shown(database))[2] == {"retried": attempt}
        now += 960
    assert await send(database, now) == [1]
    assert await hear(database, await due(database, now + 900), [RATE], now + 900) == 1
    tried = retry.BUDGET - 1
    assert await shown(database) == ("done", 0, {"expired": 1, "retried": tried})
    await database.write(seeds.notify, "n2")
    await send(database)
    late = NOW + 86_400 - 59
    assert await hear(database, await due(database, late), [RATE], late) == 1
    assert await shown(database, "n2") == ("done", 0, {"expired": 1})
    words = "SELECT outcome, status, reason FROM deliveries"
    assert await seeds.rows(database, words) == [("expired", 0, "MessageRateExceeded")] * 2


async def test_a_device_that_is_gone_or_deleted_is_not_tried_again(database: Database) -> None:
    numbers = await seeds.audience(database, 4)
    await send(database)
    tickets = await due(database)
    await database.write(devices.mark_gone, [(numbers[0], "Unregistered")], LATER)
    await database.write(devices.delete, numbers[1], "deleted", LATER)
    await database.write(seeds.run_sql, "DELETE FROM devices WHERE number = ?", numbers[2])
    assert await hear(database, tickets, [RATE] * 4) == 4
    assert await shown(database) == ("sending", 1, {"failed": 3, "retried": 1})
    assert await send(database, AGAIN) == [1]
    assert await shown(database) == ("done", 0, {"failed": 3, "accepted": 1, "retried": 1})


@pytest.mark.parametrize("deleted", [False, True])
async def test_an_apps_push_goes_in_its_line_unless_the_app_was_deleted(
    database: Database, deleted: bool
) -> None:
    await app(database, "shop", "free")

    async def work(tx: Tx) -> int:
        await seeds.listeners(tx, [seeds.registration(0)])
        room = await channels.ensure(tx, "channel-news", "news", NOW)
        said = Accepted("n1", room, "{}", NOW, NOW + 86_400, "shop", urgent=1)
        await notifications.accept(tx, [said])
        ((number,),) = await tx.fetch(Sql("SELECT number FROM apps"))
        return int(number)

    number = await database.write(work)
    await send(database)
    tickets = await due(database)
    if deleted:
        await database.write(seeds.run_sql, "UPDATE apps SET deleted_at = 1.0")
    assert await hear(database, tickets, [RATE]) == 1
    if deleted:
        assert await shown(database) == ("done", 0, {"failed": 1})
        assert await seeds.rows(database, WAITING) == []
    else:
        assert await shown(database) == ("sending", 1, {"retried": 1})
        ((*_, where),) = await seeds.rows(database, WAITING)
        assert where == line(-number, urgent=True)


async def test_a_deleted_notification_is_not_sent_again(database: Database) -> None:
    await seeds.audience(database, 2)
    await send(database)
    tickets = await due(database)
    await database.write(seeds.run_sql, "DELETE FROM notifications")
    assert await hear(database, tickets, [RATE, RATE]) == 0
    assert await seeds.rows(database, WAITING) == []


async def test_what_the_device_has_confirmed_is_not_sent_again(database: Database) -> None:
    numbers = await seeds.audience(database, 2)
    await send(database)
    tickets = await due(database)
    confirm = partial(confirmations.confirm, opened=True)
    assert await database.write(confirm, "n1", numbers[0], LATER)
    assert await hear(database, tickets, [RATE, RATE]) == 1
    assert await shown(database) == ("sending", 1, {"delivered": 1, "retried": 1})
    # One that says so between two tries is believed when the second has its outcome.
    assert await database.write(confirm, "n1", numbers[1], LATER + 1)
    assert await database.write(confirmations.match, 10) == 0
    assert await send(database, AGAIN) == [1]
    assert await database.write(confirmations.match, 10) == 1
    assert await shown(database) == ("done", 0, {"delivered": 2, "retried": 1})


async def test_one_that_is_still_being_sent_stays_so(database: Database) -> None:
    await seeds.audience(database, 2)
    await seeds.expand_all(database)
    (batch,) = await seeds.claim(database)
    tries = [Outcome(Kind.ACCEPTED, 200, provider_id="t"), Outcome(Kind.RETRY, 503, "x")]
    done = ticketed(settle(batch, tries, now=NOW, dice=0.0), NOW)
    await database.write(settlements.settle, [done], NOW)
    assert await hear(database, await due(database), [RATE]) == 1
    assert await shown(database) == ("sending", 2, {"retried": 2})
    assert await send(database, AGAIN) == [1, 1]
    assert await shown(database) == ("done", 0, {"accepted": 2, "retried": 2})


async def test_no_batch_is_larger_than_others_and_each_notification_has_its_own(
    database: Database,
) -> None:
    await seeds.audience(database, 720, "n1")
    await send(database)
    await database.write(seeds.notify, "n2")
    await send(database)
    tickets = await due(database)
    assert await hear(database, tickets, [*[RATE] * 721, *[MISSING] * 719]) == 721
    sizes = [size for _, size, *_ in await seeds.rows(database, WAITING)]
    assert sizes == [500, 220, 1]
    assert await shown(database) == ("sending", 720, {"retried": 720})
    assert await shown(database, "n2") == ("sending", 1, {"accepted": 719, "retried": 1})

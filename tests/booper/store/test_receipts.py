"""Receipts: tickets from the settlement that brings them to the last word that corrects it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.domain.delivery import settle, ticketed
from booper.domain.outcome import Kind, Outcome
from booper.domain.receipt import HORIZON, MISSING, Heard, Ticket, Unasked, judge
from booper.store import receipts, settlements
from booper.store.receipts import Waiting
from tests.booper.store import seeds
from tests.booper.store.seeds import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Database, Tx

DELIVERED = Outcome(Kind.DELIVERED, 200)
GONE = Outcome(Kind.GONE, 200, "DeviceNotRegistered")
BIG = Outcome(Kind.FAILED, 200, "MessageTooBig")


async def accepted(database: Database, count: int, own: str = "n1", *, lacking: int = 0) -> None:
    """A notification to `count` devices, accepted; all but the last `lacking` have a ticket."""
    await seeds.audience(database, count, own)
    await seeds.expand_all(database)
    for batch in await seeds.claim(database):
        outcomes = [
            Outcome(Kind.ACCEPTED, 200, provider_id="" if i >= count - lacking else f"{own}-{i}")
            for i in range(len(batch.targets))
        ]
        done = ticketed(settle(batch, outcomes, now=NOW, dice=0.0), NOW)
        assert await database.write(settlements.settle, [done], NOW) == [True]


async def due(database: Database, now: float, limit: int = 1000) -> list[Ticket]:
    return await database.write(receipts.claim, "main", now, 0.0, limit)


async def hear(
    database: Database, tickets: Sequence[Ticket], heard: Sequence[Heard], now: float
) -> int:
    return await database.write(
        receipts.settle, "main", judge(tickets, heard, now=now, dice=0.0), now
    )


async def outcomes(database: Database) -> list[tuple[str, str]]:
    return [
        (outcome, reason)
        for outcome, reason in await seeds.rows(
            database, "SELECT outcome, reason FROM every_delivery ORDER BY device"
        )
    ]


async def test_tickets_are_written_with_the_settlement(database: Database) -> None:
    await accepted(database, 3, lacking=1)
    assert await database.read(receipts.waiting) == [Waiting("main", NOW + 900)]
    assert await due(database, NOW + 899) == []
    found = await due(database, NOW + 900)
    assert [ticket.id for ticket in found] == ["n1-0", "n1-1"]
    assert {(ticket.accepted_at, ticket.registered_at) for ticket in found} == {(NOW, NOW)}
    shown = await seeds.progress(database)
    assert (shown.state, shown.counts["accepted"]) == ("done", 3)


async def test_no_tickets_no_rows(database: Database) -> None:
    await accepted(database, 3, lacking=3)
    assert await database.read(receipts.waiting) == []


async def test_the_last_words_correct_the_account(database: Database) -> None:
    await accepted(database, 5)
    later = NOW + 900
    tickets = await due(database, later)
    heard: list[Heard] = [DELIVERED, GONE, BIG, MISSING, Unasked("HTTP 503")]
    assert await hear(database, tickets, heard, later) == 3
    shown = await seeds.progress(database)
    assert {kind: count for kind, count in shown.counts.items() if count} == {
        "accepted": 2,
        "delivered": 1,
        "gone": 1,
        "failed": 1,
    }
    assert await outcomes(database) == [
        ("delivered", ""),
        ("gone", "DeviceNotRegistered"),
        ("failed", "MessageTooBig"),
        ("accepted", ""),
        ("accepted", ""),
    ]
    dead = await seeds.rows(database, "SELECT id, gone_reason FROM devices WHERE gone_at > 0")
    assert dead == [("device-1", "DeviceNotRegistered")]
    assert [t.id for t in await due(database, later + HORIZON)] == ["n1-4", "n1-3"]
    # A day later nobody knows; the account still adds up, and nothing waits any more.
    rest = await due(database, NOW + HORIZON)
    assert await hear(database, rest, [MISSING] * 2, NOW + HORIZON) == 2
    shown = await seeds.progress(database)
    assert (shown.counts["accepted"], shown.counts["receipt_unknown"]) == (0, 2)
    assert await database.read(receipts.waiting) == []


async def test_a_word_counts_once_whoever_heard_it(database: Database) -> None:
    await accepted(database, 2)
    tickets = await due(database, NOW + 900)
    assert await hear(database, tickets, [DELIVERED, DELIVERED], NOW + 900) == 2
    assert await hear(database, tickets, [GONE, MISSING], NOW + 901) == 0
    shown = await seeds.progress(database)
    assert (shown.counts["delivered"], shown.counts["gone"]) == (2, 0)
    assert await seeds.rows(database, "SELECT 1 FROM devices WHERE gone_at > 0") == []


async def test_another_ticket_of_the_same_push_is_not_taken_for_it(database: Database) -> None:
    await accepted(database, 1)
    (ticket,) = await due(database, NOW + 900)
    foreign = msgspec.structs.replace(ticket, id="other")
    assert await hear(database, [foreign], [GONE], NOW + 900) == 0
    assert await hear(database, [foreign], [MISSING], NOW + 900) == 0
    assert await due(database, NOW + 900) == [ticket]


async def test_devices_of_many_notifications_are_counted_apart(database: Database) -> None:
    await accepted(database, 2, "n1")
    await accepted(database, 2, "n2")
    tickets = await due(database, NOW + 900)
    heard = [DELIVERED if ticket.id != "n2-1" else BIG for ticket in tickets]
    assert await hear(database, tickets, heard, NOW + 900) == 4
    assert (await seeds.progress(database, "n1")).counts["delivered"] == 2
    second = (await seeds.progress(database, "n2")).counts
    assert (second["delivered"], second["failed"]) == (1, 1)


async def test_receipts_may_come_before_the_notification_is_done(database: Database) -> None:
    await seeds.audience(database, 2)
    await seeds.expand_all(database)
    (batch,) = await seeds.claim(database)
    tries = [Outcome(Kind.ACCEPTED, 200, provider_id="t"), Outcome(Kind.RETRY, 503, "x")]
    done = ticketed(settle(batch, tries, now=NOW, dice=0.0), NOW)
    await database.write(settlements.settle, [done], NOW)
    assert await hear(database, await due(database, NOW + 900), [DELIVERED], NOW + 900) == 1
    shown = await seeds.progress(database)
    assert (shown.state, shown.pending) == ("sending", 1)
    (batch,) = await seeds.claim(database, now=NOW + 900)
    done = settle(batch, [Outcome(Kind.ACCEPTED, 200)], now=NOW + 900, dice=0.0)
    await database.write(settlements.settle, [done], NOW + 900)
    shown = await seeds.progress(database)
    assert (shown.state, shown.counts["delivered"]) == ("done", 1)


async def test_every_instance_that_waits_is_found_however_many(database: Database) -> None:
    await seeds.audience(database, 1)
    ((notification,),) = await seeds.rows(database, "SELECT number FROM notifications")

    async def many(tx: Tx) -> None:
        for number in range(50):
            ticket = [Ticket(notification, number, "t", NOW)]
            await receipts.append(tx, ticket, f"i{number % 7}", NOW + number)

    await database.write(many)
    found = await database.read(receipts.waiting)
    assert found == [Waiting(f"i{number}", NOW + number) for number in range(7)]


async def test_a_deleted_notification_takes_its_tickets_along(database: Database) -> None:
    await accepted(database, 2)
    tickets = await due(database, NOW + 900)
    await database.write(seeds.run_sql, "DELETE FROM notifications")
    assert await hear(database, tickets, [DELIVERED, GONE], NOW + 900) == 0
    assert await database.read(receipts.waiting) == []


async def test_what_one_has_taken_to_ask_for_nobody_else_is_given_until_then(
    database: Database,
) -> None:
    await accepted(database, 3)
    late = NOW + 3600
    first = await database.write(receipts.claim, "main", late, late + 60, 2)
    second = await database.write(receipts.claim, "main", late, late + 60, 1000)
    assert [len(first), len(second)] == [2, 1]
    assert await database.write(receipts.claim, "main", late + 59, late + 90, 1000) == []
    assert len(await database.write(receipts.claim, "main", late + 60, late + 90, 1000)) == 3

"""What devices confirm counts once, whenever they say it, and the account still adds up."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from booper.domain.delivery import settle, ticketed
from booper.domain.outcome import ACCEPTED, Kind, Outcome
from booper.domain.receipt import Late, Ticket, Verdict
from booper.store import confirmations, deliveries, receipts, settlements
from tests.booper.store import seeds
from tests.booper.store.seeds import NOW, audience, claim, expand_all, progress, rows

if TYPE_CHECKING:
    from booper.ports import Database

FAILED = Outcome(Kind.FAILED, 400, "BadTopic")


async def confirm(
    database: Database, device: int, now: float = NOW, *, opened: bool = False
) -> bool:
    work = partial(confirmations.confirm, opened=opened)
    return await database.write(work, "n1", device, now)


async def sent(database: Database, *outcomes: Outcome, tickets: bool = False) -> list[int]:
    """One notification, one device for each outcome; their row numbers."""
    numbers = await audience(database, len(outcomes))
    await expand_all(database)
    await settled(database, *outcomes, tickets=tickets)
    return numbers


async def settled(database: Database, *outcomes: Outcome, tickets: bool = False) -> None:
    (batch,) = await claim(database)
    done = settle(batch, outcomes, now=NOW, dice=0.0)
    done = ticketed(done, NOW) if tickets else done
    assert await database.write(settlements.settle, [done], NOW) == [True]


async def test_a_confirmed_push_is_delivered_and_opened_once(database: Database) -> None:
    one, two = await sent(database, ACCEPTED, ACCEPTED)
    for later in (1.0, 2.0):
        assert await confirm(database, one, NOW + later)
    shown = await progress(database)
    assert (shown.counts["accepted"], shown.counts["delivered"], shown.opened) == (1, 1, 0)
    for later in (3.0, 4.0):
        assert await confirm(database, one, NOW + later, opened=True)
        assert await confirm(database, two, NOW + later, opened=True)
    shown = await progress(database)
    assert (shown.state, shown.counts["delivered"], shown.opened) == ("done", 2, 2)
    found = await database.read(deliveries.page, "n1", 0, 10)
    assert [(v.outcome, v.delivered_at, v.opened_at) for v in found] == [
        ("delivered", NOW + 1, NOW + 3),
        ("delivered", NOW + 3, NOW + 3),
    ]


async def test_what_its_provider_called_failed_stays_so_and_is_stamped(
    database: Database,
) -> None:
    (one,) = await sent(database, FAILED)
    assert await confirm(database, one, NOW + 1, opened=True)
    shown = await progress(database)
    assert (shown.counts["failed"], shown.counts["delivered"], shown.opened) == (1, 0, 1)
    (found,) = await database.read(deliveries.page, "n1", 0, 10)
    assert (found.outcome, found.delivered_at, found.opened_at) == ("failed", NOW + 1, NOW + 1)


@pytest.mark.parametrize("kind", [Kind.FAILED, Kind.UNKNOWN, Kind.DELIVERED])
@pytest.mark.parametrize("first", ["device", "receipt"])
async def test_a_receipt_and_a_device_count_a_push_once(
    database: Database, kind: Kind, first: str
) -> None:
    ticket = "t-1"
    (one,) = await sent(database, Outcome(Kind.ACCEPTED, 200, provider_id=ticket), tickets=True)
    ((number,),) = await rows(database, "SELECT number FROM notifications")
    verdict = Verdict((Late(Ticket(number, one, ticket, NOW), Outcome(kind)),), ())
    if first == "device":
        assert await confirm(database, one)
    taken = await database.write(receipts.settle, "main", verdict, NOW)
    if first == "receipt":
        assert await confirm(database, one)
    assert taken == (1 if first == "receipt" else 0)
    shown = await progress(database)
    believed = Kind.FAILED if (first, kind) == ("receipt", Kind.FAILED) else Kind.DELIVERED
    assert shown.counts[believed.value] == 1
    assert sum(shown.counts.values()) == 1
    assert await database.read(receipts.waiting) == []


async def test_what_comes_before_the_outcome_is_kept_and_counted_then(
    database: Database,
) -> None:
    one, two, _ = await audience(database, 3)
    assert await confirm(database, one, NOW + 1), "it is in the channel, the fan-out is to come"
    await expand_all(database)
    assert await confirm(database, one, NOW + 2, opened=True)
    assert await confirm(database, two, NOW + 2)
    assert await database.write(confirmations.match, 10) == 0
    assert (await progress(database)).opened == 0
    await settled(database, ACCEPTED, ACCEPTED, ACCEPTED)
    assert await database.write(confirmations.match, 1) == 1
    assert await database.write(confirmations.match, 10) == 1
    assert await database.write(confirmations.match, 10) == 0
    shown = await progress(database)
    assert (shown.counts["accepted"], shown.counts["delivered"], shown.opened) == (1, 2, 1)
    assert await rows(database, "SELECT 1 FROM confirmations") == []


async def test_who_was_not_sent_to_confirms_nothing(database: Database) -> None:
    await audience(database, 1)
    (stranger,) = await database.write(seeds.listeners, [seeds.registration(9)], "other")
    assert not await confirm(database, stranger)
    assert not await database.write(
        partial(confirmations.confirm, opened=True), "n2", stranger, NOW
    ), "there is no such notification"
    await expand_all(database)
    (late,) = await database.write(seeds.listeners, [seeds.registration(8)])
    assert await confirm(database, late), "nobody knows yet that it came too late"
    await settled(database, ACCEPTED)
    assert not await confirm(database, late)
    assert await database.write(confirmations.match, 10) == 1
    shown = await progress(database)
    assert (shown.counts["accepted"], shown.opened) == (1, 0)
    assert await rows(database, "SELECT 1 FROM confirmations") == []

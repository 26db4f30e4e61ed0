"""Quarantine: with the brake on no death is final, and an operator confirms or undoes them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from booper.domain.brake import Alarm, Drop
from booper.domain.delivery import settle
from booper.domain.outcome import ACCEPTED, Kind, Outcome
from booper.store import agenda, devices, quarantine, settlements
from tests.booper.store.seeds import (
    NOW,
    audience,
    claim,
    expand_all,
    notify,
    progress,
    registration,
    rows,
)

if TYPE_CHECKING:
    from booper.ports import Database

FOREIGN = Outcome(Kind.GONE, 400, "BadDeviceToken")
DOUBTED = Outcome(Kind.FAILED, 400, "INVALID_ARGUMENT", suspect=True)


async def settled(
    database: Database, outcome: Outcome, alarm: Alarm | None = None, now: float = NOW
) -> None:
    """Whatever is due, tried with this outcome for all."""
    await expand_all(database)
    for batch in await claim(database, now=now):
        done = settle(batch, [outcome] * len(batch.targets), now=now, dice=0.5)
        done = msgspec.structs.replace(done, alarm=alarm)
        assert await database.write(settlements.settle, [done], now) == [True]


async def living(database: Database) -> list[int]:
    return [n for (n,) in await rows(database, "SELECT number FROM devices WHERE gone_at IS NULL")]


async def decide(database: Database, *, undo: bool) -> int:
    """Everything, a page of two at a time."""
    total, left = 0, True
    while left:
        work = partial(quarantine.decide, instance="main", undo=undo, size=2)
        count, left = await database.write(work)
        total += count
    return total


async def reached(database: Database, own: str) -> int:
    """To how many devices another notification goes."""
    await database.write(notify, own)
    await expand_all(database)
    return (await progress(database, own)).devices


async def test_without_a_brake_a_drop_is_final(database: Database) -> None:
    await audience(database, 5)
    await settled(database, FOREIGN)
    assert await database.read(quarantine.counts) == {}
    assert await living(database) == []


async def test_with_an_alarm_the_drops_are_kept_and_undone_to_the_last(database: Database) -> None:
    numbers = await audience(database, 5)
    await settled(database, FOREIGN, Alarm(5, 5, mixed_up=True, before=()))
    assert await reached(database, "n2") == 0, "nothing is sent to them meanwhile"
    assert await database.read(quarantine.brakes) == [
        quarantine.Brake("main", NOW, paused=True, dead=5, judged=5)
    ]
    assert (await database.read(agenda.look)).waiting == [], "it is paused"
    first = await database.read(quarantine.page, "main", 0, 2)
    assert [(kept.number, kept.notification, kept.reason) for kept in first] == [
        (number, "n1", "BadDeviceToken") for number in numbers[:2]
    ]
    rest = await database.read(quarantine.page, "main", first[-1].number, 10)
    assert [kept.number for kept in rest] == numbers[2:]
    assert await decide(database, undo=True) == 5
    assert sorted(await living(database)) == numbers
    assert await reached(database, "n3") == 5
    assert await database.read(quarantine.brakes) == []
    assert await database.read(quarantine.counts) == {}


async def test_confirmed_they_stay_gone(database: Database) -> None:
    await audience(database, 3)
    await settled(database, FOREIGN, Alarm(3, 3, mixed_up=False, before=()))
    assert [brake.paused for brake in await database.read(quarantine.brakes)] == [False]
    assert await decide(database, undo=False) == 3
    assert await living(database) == []
    assert await database.read(quarantine.brakes) == []


async def test_while_the_brake_is_on_later_drops_are_kept_too_also_of_others(
    database: Database,
) -> None:
    """The row is the truth: another incarnation, or another node, raises no second alarm."""
    await audience(database, 2)
    await settled(database, FOREIGN, Alarm(2, 2, mixed_up=False, before=()))
    await database.write(devices.register, [registration(7)], NOW)
    await audience(database, 8, "n2")
    await settled(database, FOREIGN)
    assert await database.read(quarantine.counts) == {"main": 8}


async def test_those_dropped_just_before_the_alarm_come_with_it(database: Database) -> None:
    numbers = await audience(database, 4)
    await settled(database, FOREIGN)
    before = tuple(Drop(number, 1, "BadDeviceToken") for number in [*numbers, 999_999])
    await audience(database, 6, "n2")
    await settled(database, FOREIGN, Alarm(6, 6, mixed_up=False, before=before))
    assert await database.read(quarantine.counts) == {"main": 6}
    assert await decide(database, undo=True) == 6
    assert len(await living(database)) == 6


async def test_a_device_that_registers_anew_is_alive_whatever_is_decided(
    database: Database,
) -> None:
    for undo, own in ((False, "n1"), (True, "n2")):
        numbers = await audience(database, 2, own)
        await settled(database, FOREIGN, Alarm(2, 2, mixed_up=False, before=()))
        await database.write(devices.register, [registration(1)], NOW + 5)
        await decide(database, undo=undo)
        assert numbers[1] in await living(database)


async def test_a_death_after_a_new_registration_is_not_undone(database: Database) -> None:
    numbers = await audience(database, 1)
    await settled(database, FOREIGN, Alarm(1, 1, mixed_up=False, before=()))
    await database.write(devices.register, [registration(0)], NOW + 5)
    gone = [(numbers[0], "Unregistered")]
    await database.write(devices.mark_gone, gone, NOW + 10)
    await decide(database, undo=True)
    assert await living(database) == [], "that is another death"


async def test_one_that_registers_anew_and_dies_again_waits_for_its_last_death(
    database: Database,
) -> None:
    numbers = await audience(database, 2)
    await settled(database, FOREIGN, Alarm(2, 2, mixed_up=False, before=()))
    await database.write(devices.register, [registration(1)], NOW + 5)
    await database.write(notify, "n2")
    await settled(database, Outcome(Kind.GONE, 410, "Unregistered"), now=NOW + 10)
    found = await database.read(quarantine.page, "main", 0, 10)
    assert [(kept.number, kept.notification, kept.reason, kept.at) for kept in found] == [
        (numbers[0], "n1", "BadDeviceToken", NOW),
        (numbers[1], "n2", "Unregistered", NOW + 10),
    ]
    assert await decide(database, undo=True) == 2
    assert sorted(await living(database)) == numbers


async def test_the_same_death_told_twice_keeps_its_first_word(database: Database) -> None:
    numbers = await audience(database, 1)
    await settled(database, FOREIGN, Alarm(1, 1, mixed_up=False, before=()))
    again = [Drop(numbers[0], 1, "Unregistered")]
    await database.write(quarantine.drop_all, "main", again, None, NOW + 10)
    (kept,) = await database.read(quarantine.page, "main", 0, 10)
    assert (kept.reason, kept.at) == ("BadDeviceToken", NOW)
    assert await decide(database, undo=True) == 1
    assert await living(database) == numbers


async def test_a_lost_lease_raises_no_brake(database: Database) -> None:
    await audience(database, 2)
    await expand_all(database)
    (batch,) = await claim(database)
    done = settle(batch, [FOREIGN] * 2, now=NOW, dice=0.5)
    stale = msgspec.structs.replace(
        done, lease="another", alarm=Alarm(2, 2, mixed_up=True, before=())
    )
    assert await database.write(settlements.settle, [stale], NOW) == [False]
    assert await database.read(quarantine.brakes) == []


async def test_a_doubted_address_is_quarantined_at_the_second_message(database: Database) -> None:
    numbers = await audience(database, 1)
    await settled(database, DOUBTED)
    assert await living(database) == numbers, "one alone proves nothing"
    await database.write(notify, "n2")
    await settled(database, DOUBTED, now=NOW + 60)
    assert await living(database) == []
    assert await database.read(quarantine.counts) == {"main": 1}
    assert await database.read(quarantine.brakes) == [], "the others go on"
    assert await decide(database, undo=True) == 1
    assert await living(database) == numbers


async def test_the_same_message_twice_an_old_doubt_or_a_new_registration_prove_nothing(
    database: Database,
) -> None:
    numbers = await audience(database, 1)
    await settled(database, DOUBTED)
    await settled(database, DOUBTED)
    later = NOW + quarantine.DOUBT + 1
    await database.write(notify, "n2")
    await settled(database, DOUBTED, now=later)
    assert await living(database) == numbers
    await database.write(devices.register, [registration(0)], later + 1)
    await database.write(notify, "n3")
    await settled(database, DOUBTED, now=later + 2)
    assert await living(database) == numbers
    await database.write(notify, "n4")
    await settled(database, ACCEPTED, now=later + 3)
    assert await rows(database, "SELECT count(*) FROM suspects") == [(1,)]

"""Devices that ended alike stand in one row, and nobody who asks can tell."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from booper.domain.delivery import BATCH_SIZE, Ended
from booper.domain.notification import State
from booper.domain.outcome import Kind
from booper.ports import Sql
from booper.store import confirmations, deliveries, delivery_runs, retention
from booper.store.deliveries import Final
from tests.booper.store.seeds import NOW, notify, rows, run_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Database, Tx
    from booper.store.deliveries import Delivery

MANY = list(range(1, 3 * delivery_runs.LEAST))
_SAID = Sql("SELECT 1 FROM notifications WHERE number = ?")
_ALL = (
    "SELECT device, outcome, status, reason, provider_id, attempt, finished_at FROM every_delivery"
    " WHERE notification = ? ORDER BY device"
)


def accepted(devices: Sequence[int], provider_ids: Sequence[str] = ()) -> Ended:
    return Ended(Kind.ACCEPTED, 200, "", devices, provider_ids)


async def written(database: Database, *finals: Final, now: float = NOW) -> None:
    """Notifications n1, n2 … (their numbers), and what became of devices."""

    async def work(tx: Tx) -> None:
        for number in sorted({final.notification for final in finals}):
            if not await tx.fetch(_SAID, number):
                await notify(tx, f"n{number}")
        await deliveries.append(tx, finals, now)

    await database.write(work)


async def told(database: Database, own: str, limit: int, after: int = 0) -> list[Delivery]:
    """Every page of that length."""
    found: list[Delivery] = []
    while page := await database.read(deliveries.page, own, after, limit):
        assert len(page) <= limit
        after = page[-1].number
        found += page
    return found


async def test_many_and_few_are_told_alike(database: Database) -> None:
    one_by_one = [Final(2, 3, accepted([device])) for device in MANY]
    await written(database, Final(1, 3, accepted(MANY)), *one_by_one)
    assert await rows(database, "SELECT notification FROM delivery_runs") == [(1,)]
    assert await rows(database, "SELECT DISTINCT notification FROM deliveries") == [(2,)]
    many = await rows(database, _ALL, 1)
    assert many == await rows(database, _ALL, 2)
    assert [row[0] for row in many] == MANY
    assert set(many[0][1:]) == {"accepted", 200, "", 3, NOW}
    assert await told(database, "n1", 7) == await told(database, "n2", 7)


async def test_each_keeps_its_provider_id(database: Database) -> None:
    backwards = MANY[::-1]
    ids = [f"push-{device}" for device in backwards]
    await written(database, Final(1, 1, accepted(backwards, ids)))
    assert await rows(database, "SELECT 1 FROM deliveries") == []
    found = await told(database, "n1", 100)
    assert [(one.number, one.provider_id) for one in found] == [
        (device, f"push-{device}") for device in MANY
    ]
    assert [(row[0], row[4]) for row in await rows(database, _ALL, 1)] == [
        (device, f"push-{device}") for device in MANY
    ]


async def test_what_may_be_corrected_stands_apart(database: Database) -> None:
    await written(database, Final(1, 1, accepted(MANY), apart=True))
    assert await rows(database, "SELECT count(*) FROM deliveries") == [(len(MANY),)]
    assert await rows(database, "SELECT 1 FROM delivery_runs") == []


async def test_a_device_that_has_an_outcome_keeps_it(database: Database) -> None:
    failed = Ended(Kind.FAILED, 400, "ünbekannt 💥", [7, 8])
    await written(database, Final(1, 1, failed))
    await written(database, Final(1, 2, accepted([8, 9])), Final(2, 1, accepted([1])))
    await written(database, Final(1, 3, accepted(MANY)), now=NOW + 1)
    found = {one.number: one for one in await told(database, "n1", 100)}
    assert sorted(found) == MANY
    assert [found[device].outcome for device in (7, 8, 9)] == ["failed", "failed", "accepted"]
    assert [found[device].attempt for device in (7, 8, 9, 10)] == [1, 1, 2, 3]
    assert found[7].reason == "ünbekannt 💥"
    shown = {row[0]: row[1] for row in await rows(database, _ALL, 1)}
    assert shown == {device: one.outcome for device, one in found.items()}


async def test_a_run_has_no_more_devices_than_a_batch(database: Database) -> None:
    many = list(range(1, 2 * BATCH_SIZE + 2))
    await written(database, Final(1, 1, accepted(many)))
    spans = await rows(database, "SELECT first, last FROM delivery_runs ORDER BY first")
    assert spans == [(1, 500), (501, 1000), (1001, 1001)]
    assert [one.number for one in await told(database, "n1", 100)] == many


@pytest.mark.parametrize("seed", range(8))
async def test_pages_of_whatever_mixture(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    devices = dice.sample(range(1, 2_000), dice.randint(50, 900))
    finals, left = list[Final](), list(devices)
    while left:
        size = dice.choice([1, 3, 12, 12, 40, 150])
        if dice.random() < 0.5:  # else they lie far apart, and the runs across each other
            left.sort()
        some, left = left[:size], left[size:]
        kind = dice.choice([Kind.ACCEPTED, Kind.FAILED, Kind.GONE])
        finals.append(Final(1, 1, Ended(kind, 200, f"{kind}", some)))
    expected = {device: final.ended.kind for final in finals for device in final.ended.devices}
    await written(database, *finals)
    for limit in (1, 13, 101):
        found = await told(database, "n1", limit)
        assert [one.number for one in found] == sorted(expected)
        assert {one.number: one.outcome for one in found} == expected


async def confirmed(database: Database, device: int, *, opened: bool = False) -> Any:
    async def work(tx: Tx) -> bool:
        return await confirmations.confirm(tx, "n1", device, NOW + 5, opened=opened)

    return await database.write(work)


async def test_a_device_of_a_run_confirms_for_itself_alone(database: Database) -> None:
    await written(database, Final(1, 1, accepted(MANY, [f"p{device}" for device in MANY])))

    async def count(tx: Tx) -> None:
        words = "UPDATE notifications SET devices = ?, accepted = ?, state = ?, finished_at = ?"
        await run_sql(tx, words, len(MANY), len(MANY), State.DONE.value, NOW)

    await database.write(count)
    assert await confirmed(database, 4, opened=True)
    assert await confirmed(database, 4), "it may say so again"
    assert not await confirmed(database, MANY[-1] + 1), "that one was not sent to"
    found = await told(database, "n1", 100)
    assert [one.number for one in found] == MANY
    assert (found[3].outcome, found[3].opened_at, found[3].provider_id) == (
        *("delivered", NOW + 5),
        "p4",
    )
    assert {one.outcome for one in found[:3] + found[4:]} == {"accepted"}
    counts = "SELECT accepted, delivered, opened FROM notifications"
    assert await rows(database, counts) == [(len(MANY) - 1, 1, 1)]


async def test_what_a_device_said_too_early_finds_its_run(database: Database) -> None:
    async def early(tx: Tx) -> None:
        await notify(tx, "n1")
        words = "INSERT INTO confirmations (notification, device, delivered_at) VALUES (1, ?, ?)"
        for device in (5, 4_000):
            await run_sql(tx, words, device, NOW + 1)

    await database.write(early)
    assert await database.write(confirmations.match, 10) == 0
    await written(database, Final(1, 1, accepted(MANY)))

    async def done(tx: Tx) -> None:
        words = "UPDATE notifications SET devices = ?, accepted = ?, state = 'done', finished_at ="
        await run_sql(tx, f"{words} ?", len(MANY), len(MANY), NOW)

    await database.write(done)
    assert await database.write(confirmations.match, 10) == 2, "one counts, one is forgotten"
    found = {one.number: one for one in await told(database, "n1", 100)}
    assert (found[5].outcome, found[5].delivered_at) == ("delivered", NOW + 1)
    assert await rows(database, "SELECT delivered FROM notifications") == [(1,)]
    assert await rows(database, "SELECT 1 FROM confirmations") == []


async def test_runs_go_with_their_notification(database: Database) -> None:
    pieces = [Final(1, 1, accepted(range(i, i + 10))) for i in range(0, 50, 10)]
    await written(database, *pieces, Final(2, 1, accepted(MANY)))

    async def remove(tx: Tx) -> None:
        await retention.remove(tx, [(1,)], NOW - 2 * retention.PATIENCE)

    await database.write(remove)
    assert await told(database, "n1", 100) == []
    steps = 0
    while await database.write(retention.purge, NOW, 2):
        steps += 1
    assert steps == 3, "five runs and what says that they are to go, two at a time"
    assert await rows(database, "SELECT DISTINCT notification FROM delivery_runs") == [(2,)]
    assert len(await told(database, "n2", 100)) == len(MANY)

"""What the accepting transaction decides is exact, whoever else is at it: keys, quotas, cancels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.domain.errors import Invalid
from booper.store import audiences, channels, fanouts, idempotency, notifications, quotas
from booper.store.idempotency import Replay, Use
from booper.store.notifications import Accepted
from tests.booper.store.seeds import NOW, ROUTES, audience, listeners, registration, rows

if TYPE_CHECKING:
    from booper.ports import Database, Tx

USE = Use("app a", "order-42", "hash")


async def said(tx: Tx, own: str, use: Use, now: float = NOW) -> Replay:
    """What a request with a key does: one notification, or what it was used for."""
    replay = await idempotency.claim(tx, use, own, "queued", now)
    if replay is None:
        await notifications.accept(tx, [Accepted(own, None, "{}", now, now + 60)])
    return replay or Replay(own, "queued")


async def test_twenty_parallel_requests_with_one_key_make_one_notification(
    database: Database,
) -> None:
    found: list[Replay] = []

    async def one(number: int) -> None:
        found.append(await database.write(said, f"n{number}", USE))

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(one, number)
    assert len(found) == 20
    assert len(set(found)) == 1
    stored = await rows(database, "SELECT id FROM notifications")
    assert stored == [(found[0].notification,)]


async def test_a_key_means_one_thing_for_one_caller_for_a_day(database: Database) -> None:
    first = await database.write(said, "n1", USE)
    assert await database.write(said, "n2", USE, NOW + 86_399) == first
    with pytest.raises(Invalid, match="something else") as caught:
        await database.write(said, "n3", USE._replace(hash="other"))
    assert caught.value.code == "idempotency_key_reused"
    other = await database.write(said, "n4", USE._replace(caller="app b"))
    assert other.notification == "n4"
    later = await database.write(said, "n5", USE._replace(hash="other"), NOW + 86_401)
    assert later.notification == "n5"
    assert await database.write(idempotency.sweep, NOW + 1, 100) == 1
    assert await database.write(idempotency.sweep, NOW + 1, 100) == 0


async def test_a_day_s_quota_is_exact_under_any_number_of_writers(database: Database) -> None:
    granted: list[int] = []

    async def one(wanted: int) -> None:
        granted.append((await database.write(quotas.take, "a", 7, wanted, 50))[0])

    async with trio.open_nursery() as nursery:
        for number in range(40):
            nursery.start_soon(one, number % 4)
    assert sum(granted) == 50
    assert await database.write(quotas.take, "a", 7, 1, 50) == (0, 0)
    assert await database.write(quotas.take, "a", 8, 1, 50) == (1, 49)
    assert await database.write(quotas.take, "b", 7, 5, 50) == (5, 45)
    assert await database.write(quotas.take, "a", 7, 1, 10) == (0, 0)  # the plan has shrunk
    assert await database.write(quotas.sweep, 8, 100) == 2


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_it_is_cancelled_or_sent_and_never_half(database: Database, size: int) -> None:
    await audience(database, 9)
    cancelled: list[bool] = []

    async def cancel() -> None:
        cancelled.append(await database.write(notifications.cancel, "n1", NOW))

    async def send() -> None:
        while await database.write(fanouts.expand, ROUTES, 0, NOW, size) is not None:
            pass

    async with trio.open_nursery() as nursery:
        for task in (cancel, send, cancel, send, cancel):
            nursery.start_soon(task)
    await send()  # who met a row that somebody held went by; its next round finds it
    assert len(set(cancelled)) == 1
    ((state, devices),) = await rows(database, "SELECT state, devices FROM notifications")
    assert (state, devices) == (("cancelled", 0) if cancelled[0] else ("sending", 9))
    batched = await rows(database, "SELECT coalesce(sum(size), 0) FROM batches")
    assert int(batched[0][0]) == devices


async def test_several_channels_merge_page_by_page(database: Database) -> None:
    async def work(tx: Tx) -> list[int]:
        one = await listeners(tx, [registration(n) for n in range(0, 12, 2)], "a")
        two = await listeners(tx, [registration(n) for n in range(0, 12, 3)], "b")
        rooms = [await channels.find(tx, name) for name in ("a", "b")]
        several = [(room, "n1") for room in rooms if room is not None]
        named = '{"channels":["a","b"]}'
        row = Accepted("n1", None, "{}", NOW, NOW + 60, audience=named)
        await notifications.accept(tx, [row], several)
        return sorted({*one, *two})

    wanted = await database.write(work)
    whom = audiences.Whom(1, None, None, '{"channels":["a","b"]}')
    found, position = [], 0
    while page := await database.read(audiences.page, whom, position, 3):
        found += page
        position = found[-1]
    assert found == wanted


async def test_urgent_ones_come_before_all_others(database: Database) -> None:
    async def work(tx: Tx) -> None:
        await listeners(tx, [registration(n) for n in range(4)])
        room = await channels.find(tx, "news")
        for own, urgent in (("n1", 0), ("n2", 1), ("n3", 0), ("n4", 1)):
            row = Accepted(own, room, "{}", NOW, NOW + 60, urgent=urgent)
            await notifications.accept(tx, [row])

    await database.write(work)
    turns, after = [], 0
    while (page := await database.write(fanouts.expand, ROUTES, after, NOW, 3)) is not None:
        after = page.notification
        turns.append(after)
    assert turns == [2, 4, 2, 4, 1, 3, 1, 3]

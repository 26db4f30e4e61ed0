"""Feeds: what was said in many channels, merged, newest first, in pages, on both databases."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from booper.store import channels, feeds, notifications
from booper.store.notifications import Accepted
from tests.booper.store.seeds import NOW, run_sql

if TYPE_CHECKING:
    from booper.ports import Database, Tx


async def test_pages_of_a_feed_are_the_whole_in_order(database: Database) -> None:
    dice = random.Random(7)

    async def work(tx: Tx) -> None:
        rooms = [await channels.ensure(tx, f"c{n}", f"room-{n}", NOW) for n in range(12)]
        heard, wanted = rooms[:9], []
        for number in range(120):
            own = f"{number:08x}"
            some = dice.sample(rooms, dice.choice((1, 1, 1, 3)))
            only = some[0] if len(some) == 1 else None
            due = NOW + 50 if number % 10 == 3 else None
            said = Accepted(own, only, "{}", NOW, NOW + 60, scheduled_at=due)
            several = [(room, own) for room in some if only is None]
            await notifications.accept(tx, [said], several)
            if number % 10 == 5:
                sql = "UPDATE notifications SET archived_at = 1.0 WHERE id = ?"
                await run_sql(tx, sql, own)
            elif number % 10 != 3 and set(some) & set(heard):
                wanted.append(own)
        for size in (1, 7, 500):
            seen: list[str] = []
            while part := await feeds.page(
                tx, heard, seen[-1] if seen else "", size, archived=False
            ):
                seen += [one.id for one in part]
                assert len(part) <= size
            assert seen == wanted[::-1]
        everything = await feeds.page(tx, heard, "", 500, archived=True)
        assert len(everything) > len(wanted)
        assert await feeds.page(tx, [], "", 9, archived=True) == []

    await database.write(work)

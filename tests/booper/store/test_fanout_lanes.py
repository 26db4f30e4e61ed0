"""Several that expand one audience at once, on however many nodes: no page is cut twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.store import fanouts
from tests.booper.store.seeds import NOW, ROUTES, audience, rows

if TYPE_CHECKING:
    from booper.ports import Database

LANES, SIZE = 3, 240
_BATCHED = "SELECT count(*), count(DISTINCT devices), count(DISTINCT due_at) FROM batches"


@pytest.mark.slow
async def test_every_device_stands_in_one_batch(database: Database) -> None:
    await audience(database, SIZE)

    async def lane() -> None:
        waits = True
        while waits:
            await database.write(fanouts.expand, ROUTES, 0, NOW, 1)
            waits = bool(await rows(database, "SELECT 1 FROM fanouts"))

    async with trio.open_nursery() as nursery:
        for _ in range(LANES):
            nursery.start_soon(lane)
    assert await rows(database, _BATCHED) == [(SIZE, SIZE, 1)]
    assert await rows(database, "SELECT devices, state FROM notifications") == [(SIZE, "sending")]

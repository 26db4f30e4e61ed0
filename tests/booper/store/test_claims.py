"""Claims: in which order an instance's batches are leased and handed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain.fairness import Hand, line
from booper.store import outbox
from tests.booper.store.seeds import NOW, audience, expand_all, rows, run_sql

if TYPE_CHECKING:
    from booper.ports import Database

URGENT = line(5, urgent=True)


async def test_a_claim_keeps_the_order_of_service(database: Database) -> None:
    """Urgent lines first, then the turns; although their batches are the younger ones."""
    await audience(database, 6)
    await expand_all(database, size=1)
    lines = (7, 7, 7, 3, 3, URGENT)
    numbers = [row[0] for row in await rows(database, "SELECT number FROM batches ORDER BY number")]
    for number, its in zip(numbers, lines, strict=True):
        await database.write(run_sql, "UPDATE batches SET line = ? WHERE number = ?", its, number)
    hand = Hand(16, {}, 3)
    terms = outbox.Terms("l", "n", NOW, NOW + 30)
    claimed = await database.write(outbox.claim, {"main": hand}, terms, 5)
    assert [one.batch.line for one in claimed] == [URGENT, 7, 7, 3, 3]
    assert [one.batch.number for one in claimed[1:]] == numbers[:2] + numbers[3:5]

"""The accounting law on random walks: whatever the stations do, and in whatever order, every
device of a notification is pending or ended, once, and at the end all have ended."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from booper.domain.delivery import Batch, settle, ticketed
from booper.domain.outcome import Kind, Outcome
from booper.domain.receipt import MISSING, Heard, judge
from booper.store import fanouts, outbox, poison, receipts, settlements
from booper.store.express import Express
from booper.store.outbox import Held
from tests.booper.store.seeds import (
    NOW,
    ROUTES,
    claim,
    expand_all,
    listeners,
    notify,
    progress,
    registration,
    rows,
)

if TYPE_CHECKING:
    from booper.ports import Database, Tx

OWNS = ("n1", "n2", "n3")


class Walk:
    """A dispatcher, some senders and a janitor who do everything in a random order."""

    def __init__(self, database: Database, dice: random.Random) -> None:
        self.database = database
        self.dice = dice
        self.now = NOW
        self.held: list[Batch] = []
        self.fenced = 0
        self.resent = 0
        self.express = 0
        self.direct = False  # small audiences are leased as they are cut

    async def step(self) -> None:
        steps = [self.expand, self.claim, self.settle, self.settle, self.give_back, self.sweep]
        await self.dice.choice([*steps, self.park, self.unpark, self.hear])()
        self.now += self.dice.random() * 10

    async def expand(self) -> None:
        after, size = self.dice.randrange(4), self.dice.randrange(1, 9)
        if not self.direct:
            await self.database.write(fanouts.expand, ROUTES, after, self.now, size)
            return
        lease = f"lease-{self.dice.random()}"
        express = Express(lease, "node", self.now + 30, lambda *_: True)
        page = await self.database.write(fanouts.advance, ROUTES, after, self.now, express)
        for one in page.claimed if page is not None else ():
            self.express += 1
            self.held.append(one.opened([raw.decode() for raw in one.sealed]))

    async def claim(self) -> None:
        lease = f"lease-{self.dice.random()}"
        self.held += await claim(self.database, 3, lease=lease, now=self.now)

    async def settle(self) -> None:
        if not self.held:
            return
        index = self.dice.randrange(len(self.held))
        batch = self.held[index] if self.dice.random() < 0.1 else self.held.pop(index)
        done = settle(
            batch, [self.outcome() for _ in batch.targets], now=self.now, dice=self.dice.random()
        )
        done = ticketed(done, self.now)
        (kept,) = await self.database.write(settlements.settle, [done], self.now)
        self.fenced += not kept

    def outcome(self) -> Outcome:
        kind = self.dice.choice([*Kind, Kind.RETRY, Kind.ACCEPTED])
        ticket = f"t-{self.dice.random()}"
        maybe = self.dice.random() < 0.5
        return Outcome(kind, 0, kind.value, maybe_sent=maybe, provider_id=ticket)

    async def hear(self) -> None:
        """Some receipts, hours early; what was heard before is at times told once more."""
        tickets = await self.database.write(receipts.claim, "main", self.now + 1e6, 0.0, 5)
        kinds = (Kind.RETRY, Kind.RETRY, Kind.DELIVERED, Kind.FAILED, Kind.GONE)
        heard: list[Heard] = [
            Outcome(self.dice.choice(kinds), 200, "said") if self.dice.random() < 0.8 else MISSING
            for _ in tickets
        ]
        verdict = judge(tickets, heard, now=self.now, dice=self.dice.random())
        self.resent += len(verdict.again)
        for _ in range(self.dice.choice((1, 1, 2))):
            await self.database.write(receipts.settle, "main", verdict, self.now)

    async def give_back(self) -> None:
        if self.held:
            batch = self.held.pop()
            held, doubt = [Held(batch.number, batch.lease)], self.dice.random() < 0.5
            death = self.dice.choice(["", "crash"])
            await self.database.write(
                lambda tx: outbox.release(tx, held, self.now, doubt=doubt, death=death)
            )

    async def sweep(self) -> None:
        await self.database.write(outbox.release_expired, self.now)

    async def park(self) -> None:
        await self.database.write(poison.park, self.now, 3)

    async def unpark(self) -> None:
        found = await self.database.read(poison.page, None, 0, 2)
        verb = self.dice.choice([poison.release, poison.fail])
        await self.database.write(verb, [one.number for one in found], self.now)


@pytest.mark.parametrize("seed", range(6))
async def test_devices_are_pending_or_ended_always(database: Database, seed: int) -> None:
    async def begin(tx: Tx) -> None:
        unrouted = [registration(99, provider="fcm")]
        await listeners(tx, [registration(n) for n in range(20)] + unrouted)
        for own in OWNS:
            await notify(tx, own)

    await database.write(begin)
    walk = Walk(database, random.Random(seed))
    walk.direct = seed % 2 == 1
    for _ in range(250):
        await walk.step()
        for own in OWNS:
            await progress(database, own)  # checks the law
    await expand_all(database)
    for _ in range(200):  # everybody who held anything is dead; the rest goes through
        walk.now += 4000.0
        await walk.sweep()
        await walk.hear()
        await walk.park()
        await walk.unpark()
        await walk.claim()
        while walk.held:
            await walk.settle()
    sql = "SELECT count(*), count(DISTINCT device) FROM every_delivery d JOIN notifications n"
    for own in OWNS:
        shown = await progress(database, own)
        assert (shown.state, shown.pending) == ("done", 0)
        assert shown.devices > 5  # those that went meanwhile are not reached
        ended = await rows(database, sql + " ON n.number = d.notification WHERE n.id = ?", own)
        assert ended == [(shown.devices, shown.devices)]
    assert await rows(database, "SELECT 1 FROM batches") == []
    assert await rows(database, "SELECT 1 FROM fanouts") == []
    assert await rows(database, "SELECT 1 FROM parked") == []
    assert walk.fenced, "no lease was ever lost: the walk shows too little"
    assert bool(walk.express) is walk.direct, "what is leased as it is cut shows too little"
    assert walk.resent, "nothing was ever sent again: the walk shows too little"

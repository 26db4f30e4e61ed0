"""A thousand cancellations, resets, refusals, GOAWAYs and broken lines: nothing lost or crossed."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import h2.errors
import pytest
import trio

from booper.wire import Lost, Reply
from tests.booper.transport.conftest import TEMPLATE, Field, stamps
from tests.booper.transport.peers import Peer, echo

if TYPE_CHECKING:
    from booper.wire import Answer


class Chaos:
    """A server's script and its callers, who behave as badly as dice say."""

    def __init__(self, nursery: trio.Nursery, seed: int) -> None:
        self.dice = Random(seed)
        self.nursery = nursery
        self.processed: Counter[str] = Counter()
        self.events: Counter[str] = Counter()

    def script(self, peer: Peer, stream: int, path: str) -> None:
        if peer.goodbye_said:
            return
        roll = self.dice.random()
        if roll < 0.02:
            self.events["refused"] += 1
            peer.reset(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
            return
        if roll < 0.025:
            self.events["goaway"] += 1
            peer.go_away(max(0, stream - 2))
            return
        self.processed[path] += 1
        if roll < 0.045:
            self.events["reset"] += 1
            peer.reset(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
        elif roll < 0.047:
            self.events["hang up"] += 1
            assert peer.near is not None
            peer.near.hang_up()
        elif roll < 0.6:
            self.nursery.start_soon(self._later, peer, stream, path)
        else:
            echo(peer, stream, path)

    async def _later(self, peer: Peer, stream: int, path: str) -> None:
        await trio.sleep(self.dice.random() * 0.2)
        echo(peer, stream, path)
        peer.flush()

    def check(self, name: str, answers: list[Answer]) -> None:
        """Everybody has an answer, its own, and what was never sent was never processed."""
        for i, answer in enumerate(answers):
            path = f"/{name}{i}"
            if isinstance(answer, Reply):
                assert answer.body == path.encode()
                assert self.processed[path] == 1
                self.events["answered"] += 1
            else:
                assert isinstance(answer, Lost)
                assert self.processed[path] <= answer.sent, (path, answer)
                self.events[answer.reason] += 1


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_lost_doubled_or_crossed(
    field: Field, nursery: trio.Nursery, autojump_clock: object, seed: int
) -> None:
    chaos = Chaos(nursery, seed)
    field.net.delay = 0.01
    field.make = lambda: Peer(chaos.script, streams=chaos.dice.choice((1, 10, 40)))
    pool = field.pool(max_connections=3, max_age=5)

    async def caller(number: int) -> None:
        await trio.sleep(chaos.dice.random() * 20)
        name = f"caller-{number}-"
        mine = stamps(chaos.dice.choice((1, 3, 10, 60)), name)
        patience = chaos.dice.choice((0.05, 0.3, 600))
        with trio.CancelScope() as scope:
            if chaos.dice.random() < 0.4:
                scope.deadline = trio.current_time() + chaos.dice.random()
            chaos.check(name, await pool.send(TEMPLATE, mine, timeout=patience))
        chaos.events["cancelled"] += scope.cancelled_caught

    async with trio.open_nursery() as callers:
        for number in range(500):
            callers.start_soon(caller, number)
    assert max(chaos.processed.values()) == 1
    now = pool.statistics()
    assert (now.in_flight, now.queued) == (0, 0)
    await pool.aclose()
    assert all(line.closed for line in field.net.lines)
    assert chaos.events["answered"] > 1000
    faults = ("refused", "goaway", "reset", "hang up", "cancelled")
    assert all(chaos.events[kind] for kind in faults), chaos.events
    assert sum(chaos.events[kind] for kind in faults) > 150  # some 300 in each of four runs

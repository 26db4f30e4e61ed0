"""A thousand random cancellations, resets and farewells: every request ends once, and honestly."""

from __future__ import annotations

import random
import tracemalloc
from collections import Counter

from booper.http2 import Batch, Client, ErrorCode, Server, answer_block
from booper.wire import Lost, Reply
from tests.booper.http2.strangers import TEMPLATE, stamps


class Town:
    """A client and a server who resets, refuses and leaves, but never lies about what it did."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.served: Counter[bytes] = Counter()
        self.events = 0
        self.connect()

    def connect(self) -> None:
        self.client, self.server = Client(), Server(streams=self.dice.choice([5, 50, 500]))
        self.client.receive(self.server.take())
        self.open: list[tuple[int, bytes]] = []
        self.highest = 0

    def turn(self) -> None:
        """The server hears, answers some, and does something rude to some others."""
        for stream, _, head, values, _ in self.server.receive(self.client.take()):
            self.open.append((stream, head.header(b"apns-id", values) or b""))
        self.dice.shuffle(self.open)
        keep = []
        for stream, name in self.open:
            fate = self.dice.random()
            if fate < 0.6:
                self.highest = max(self.highest, stream)
            if fate < 0.5:
                body = name if fate < 0.1 else b""
                if self.server.respond(stream, answer_block(200, ((b"apns-id", name),)), body):
                    self.served[name] += 1
            elif fate < 0.55:
                self.server.reset(stream, ErrorCode.REFUSED_STREAM)
                self.events += 1
            elif fate < 0.6:
                self.served[name] += 1  # done, but the answer is lost
                self.server.reset(stream, ErrorCode.INTERNAL_ERROR)
                self.events += 1
            else:
                keep.append((stream, name))
        self.open = keep
        if self.dice.random() < 0.05:
            self.server.goaway(self.highest)
            self.open = [(stream, name) for stream, name in self.open if stream <= self.highest]
            self.events += 1

    def hear(self) -> None:
        down = self.server.take()
        while down:
            size = self.dice.randint(1, 2000)
            self.client.receive(down[:size])
            down = down[size:]
        assert self.client.failure is None


def run(seed: int) -> tuple[int, Counter[str]]:
    town = Town(seed)
    ends: Counter[str] = Counter()
    for _ in range(30):
        wanted, batch, taken = stamps(60), Batch(60), 0
        town.served.clear()
        for _ in range(40):
            if town.client.draining and not town.client.open_streams:
                town.connect()
            taken += town.client.submit(TEMPLATE, wanted, taken, 60, batch)
            town.turn()
            town.hear()
            if town.dice.random() < 0.04:
                town.events += town.client.cancel(batch)
            if town.dice.random() < 0.04:
                town.client.lost_all("closed")
                town.events += 1
                town.connect()
        town.client.cancel(batch)
        for number, answer in enumerate(batch.answers):
            name = b"id-%d" % number
            if number >= taken:
                assert answer is None
            elif isinstance(answer, Reply):
                assert answer.header(b"apns-id") == name
                assert town.served[name] == 1
                ends["answered"] += 1
            else:
                assert isinstance(answer, Lost)
                assert answer.sent or not town.served[name], (answer, name)
                ends[answer.reason] += 1
        assert batch.left == 60 - taken
        town.connect()
    return town.events, ends


def test_a_thousand_losses_lose_and_cross_nothing() -> None:
    events, ends = 0, Counter[str]()
    for seed in range(4):
        more, found = run(seed)
        events += more
        ends += found
    assert events > 1000
    assert {"answered", "refused", "reset", "goaway", "closed", "cancelled"} <= ends.keys()


def test_memory_stays_flat_over_many_requests() -> None:
    client, server = Client(), Server()
    client.receive(server.take())
    wanted = stamps(1000)
    block = answer_block(200)

    def thousand() -> None:
        batch, taken = Batch(1000), 0
        while batch.left:
            taken += client.submit(TEMPLATE, wanted, taken, 1000, batch)
            requests = server.receive(client.take())
            server.respond_many((r[0], block, b"") for r in requests)
            client.receive(server.take())
        batch, taken = Batch(20), 0
        client.submit(TEMPLATE, wanted, 0, 20, batch)
        client.cancel(batch)
        server.receive(client.take())
        client.receive(server.take())

    for _ in range(10):
        thousand()
    tracemalloc.start()
    try:
        thousand()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            thousand()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert client.failure is server.failure is None
    assert client.open_streams == server.open_streams == 0
    assert grown < 400_000  # 2,000 remembered resets; nothing per request

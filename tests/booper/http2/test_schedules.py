"""Whatever legal ends do, in any order and pieces: no answer is lost, doubled or crossed."""

from __future__ import annotations

from collections import Counter

import h2.errors
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from booper.http2 import Batch, Client
from booper.wire import Lost, Reply, Template
from tests.booper.http2.strangers import StrangeServer, stamp

SIZES = st.sampled_from([0, 2, 200, 17_000, 40_000])
CODES = st.sampled_from(
    [
        h2.errors.ErrorCodes.REFUSED_STREAM,
        h2.errors.ErrorCodes.CANCEL,
        h2.errors.ErrorCodes.NO_ERROR,
    ]
)
LONG = ((b"x-long", b"l" * 9000), (b"x-more", b"m" * 9000))  # needs CONTINUATION
TEMPLATES = [
    Template(b"a.example", b"/a/", ((b"topic", b"%d" % n), (b"authorization", b"k")), (b"apns-id",))
    for n in range(4)
]


class Numbered(Batch):
    """Knows the number of its first request."""

    __slots__ = ("first",)

    def __init__(self, first: int, count: int) -> None:
        super().__init__(count)
        self.first = first


class Conversation(RuleBasedStateMachine):
    """A client, an h2 server, and two pipes whose bytes arrive when and cut as they will."""

    @initialize(
        stateless=st.booleans(),
        streams=st.integers(1, 40),
        window=st.sampled_from([0, 100, 65_535]),
    )
    def meet(self, stateless: bool, streams: int, window: int) -> None:
        self.client = Client(stateless=stateless)
        self.server = StrangeServer(MAX_CONCURRENT_STREAMS=streams, INITIAL_WINDOW_SIZE=window)
        self.up = self.down = b""
        self.batches: list[Numbered] = []
        self.bodies: dict[bytes, bytes] = {}
        self.finished: Counter[int] = Counter()
        self.answered: set[bytes] = set()
        self.seen: set[bytes] = set()
        self.number = 0

    @rule(kind=st.integers(0, 3), sizes=st.lists(SIZES, min_size=1, max_size=12))
    def submit(self, kind: int, sizes: list[int]) -> None:
        wanted = [stamp(self.number + n, b"b" * size) for n, size in enumerate(sizes)]
        batch = Numbered(self.number, len(wanted))
        taken = self.client.submit(TEMPLATES[kind], wanted, 0, len(wanted), batch)
        self.bodies.update({values[0]: body for _, values, body in wanted[:taken]})
        del batch.answers[taken:]
        batch.left = taken
        self.number += len(wanted)
        if taken:
            self.batches.append(batch)

    @rule(share=st.floats(0, 1))
    def carry_up(self, share: float) -> None:
        self.up += self.client.take()
        cut = int(len(self.up) * share)
        self.server.hear(self.up[:cut])
        self.up = self.up[cut:]
        for fields, body in self.server.asked.values():
            name = fields[b"apns-id"]
            assert body == self.bodies[name]
            assert fields[b":path"] == b"/a/" + name[3:]
            assert len(fields) == 7
            self.seen.add(name)

    @rule(pieces=st.lists(st.integers(1, 400), max_size=8), rest=st.booleans())
    def carry_down(self, pieces: list[int], rest: bool) -> None:
        self.down += self.server.say()
        for size in [*pieces, len(self.down) if rest else 0]:
            piece, self.down = self.down[:size], self.down[size:]
            self.finished.update(id(batch) for batch in self.client.receive(piece))

    @rule(data=st.data(), status=st.sampled_from([200, 204, 400, 410, 503]))
    def answer(self, data: st.DataObject, status: int) -> None:
        if not self.server.asked:
            return
        stream = data.draw(st.sampled_from(sorted(self.server.asked)))
        name = self.server.asked[stream][0][b"apns-id"]
        pad = data.draw(st.sampled_from([None, None, 0, 9]))
        body = data.draw(st.sampled_from([b"", name]))
        if self.server.h2.local_flow_control_window(stream) < 100:
            body, pad = b"", None
        self.server.answer(
            stream,
            status,
            body,
            LONG if data.draw(st.booleans()) else (),
            pad=pad,
            trailers=data.draw(st.booleans()),
            interim=data.draw(st.booleans()),
        )
        self.answered.add(name)

    @rule(data=st.data(), code=CODES)
    def reset(self, data: st.DataObject, code: h2.errors.ErrorCodes) -> None:
        if self.server.asked:
            self.server.refuse(data.draw(st.sampled_from(sorted(self.server.asked))), code)

    @rule(
        name=st.sampled_from(
            ["MAX_CONCURRENT_STREAMS", "INITIAL_WINDOW_SIZE", "HEADER_TABLE_SIZE"]
        ),
        value=st.sampled_from([1, 64, 200, 1000, 65_535]),
    )
    def change(self, name: str, value: int) -> None:
        self.server.change(**{name: value})

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        waiting = [batch for batch in self.batches if batch.left]
        if waiting:
            batch = data.draw(st.sampled_from(waiting))
            self.client.cancel(batch)
            assert batch.left == 0
            self.finished[id(batch)] += 1

    @rule()
    def ping(self) -> None:
        self.client.ping()
        self.server.h2.ping(b"abcdefgh")

    @invariant()
    def books_balance(self) -> None:
        if not hasattr(self, "batches"):
            return
        assert self.client.failure is None
        assert self.client.open_streams == sum(batch.left for batch in self.batches)
        for batch in self.batches:
            assert batch.left == batch.answers.count(None)
            assert self.finished[id(batch)] == (0 if batch.left else 1)

    def teardown(self) -> None:
        if not hasattr(self, "batches"):
            return
        for _ in range(200):  # a megabyte through windows of 65,535 bytes takes some turns
            self.server.change(INITIAL_WINDOW_SIZE=65_535)
            self.carry_up(1.0)
            for stream in list(self.server.asked):
                self.answered.add(self.server.asked[stream][0][b"apns-id"])
                self.server.answer(stream)
            self.carry_down([], rest=True)
            if not self.client.open_streams:
                break
        self.books_balance()
        assert self.client.open_streams == 0
        for batch in self.batches:
            for index, answer in enumerate(batch.answers):
                self._check(b"id-%d" % (batch.first + index), answer)

    def _check(self, name: bytes, answer: object) -> None:
        if isinstance(answer, Reply):
            assert answer.header(b"apns-id") == name
            assert answer.body in (b"", name)
            assert name in self.answered
        else:
            assert isinstance(answer, Lost)
            if not answer.sent and answer.reason == "cancelled":
                assert name not in self.seen  # it never was a whole request


Conversation.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)
TestConversation = Conversation.TestCase

"""Windows, both ways: nothing overruns one, nothing waits longer than it must."""

from __future__ import annotations

import h2.errors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from booper.http2 import Batch
from booper.wire import Lost, Reply
from tests.booper.http2.strangers import TEMPLATE, StrangeServer, meet, met, stamp, submit

BIG = b"b" * 200_000


def whole(server: StrangeServer) -> list[int]:
    return [len(body) for _, body in server.asked.values()]


def test_a_body_larger_than_every_window_arrives_in_the_end() -> None:
    client, server = met()
    batch = Batch(2)
    assert client.submit(TEMPLATE, [stamp(0, BIG), stamp(1, BIG)], 0, 2, batch) == 1  # now full
    meet(client, server)  # h2 gives back what it reads, and would raise if a window were overrun
    assert client.submit(TEMPLATE, [stamp(0, BIG), stamp(1, BIG)], 1, 1, batch) == 1
    meet(client, server)
    assert whole(server) == [200_000, 200_000]
    for stream in list(server.asked):
        server.answer(stream)
    assert client.receive(server.say()) == [batch]


def test_a_full_connection_takes_no_more_but_says_so() -> None:
    client, server = met()
    batch = Batch(100)
    stamps = [stamp(n, b"x" * 3000) for n in range(100)]
    taken = client.submit(TEMPLATE, stamps, 0, 100, batch)
    assert taken == 65_535 // 3000
    assert client.submit(TEMPLATE, stamps, taken, 100, batch) == 0
    while taken < 100:
        meet(client, server)
        before = taken
        taken += client.submit(TEMPLATE, stamps, taken, 100, batch)
        assert taken > before
    meet(client, server)
    assert whole(server) == [3000] * 100


def test_a_window_that_never_opens_loses_nothing_that_was_sent() -> None:
    client, server = met(INITIAL_WINDOW_SIZE=0)
    batch = Batch(3)
    assert client.submit(TEMPLATE, [stamp(0), stamp(1, b""), stamp(2)], 0, 3, batch) == 3
    meet(client, server)
    assert whole(server) == [0]  # only the one without a body is complete
    client.cancel(batch, "deadline")
    assert [a.sent for a in batch.answers if isinstance(a, Lost)] == [False, True, False]


def test_windows_may_shrink_below_zero_and_grow_again() -> None:
    client, server = met(INITIAL_WINDOW_SIZE=10)
    batch = Batch(1)
    client.submit(TEMPLATE, [stamp(0, b"0123456789abcdefghij")], 0, 1, batch)
    up = client.take()
    assert server.change(INITIAL_WINDOW_SIZE=0)
    client.receive(server.say())
    server.hear(up + client.take())
    assert whole(server) == []
    server.change(INITIAL_WINDOW_SIZE=100)
    meet(client, server)
    assert [body for _, body in server.asked.values()] == [b"0123456789abcdefghij"]


def test_an_answer_before_the_end_of_the_question() -> None:
    client, server = met(INITIAL_WINDOW_SIZE=0)
    batch = submit(client, 1)
    meet(client, server)
    server.h2.send_headers(1, [(b":status", b"413")], end_stream=True)
    assert client.receive(server.say()) == [batch]
    assert isinstance(batch.answers[0], Reply)
    server.hear(client.take())
    assert server.resets == {1: h2.errors.ErrorCodes.CANCEL}
    assert client.failure is None


def test_many_large_answers_never_stop_for_want_of_a_window() -> None:
    client, server = met(MAX_CONCURRENT_STREAMS=1000)
    for _ in range(8):
        batch = submit(client, 100)
        meet(client, server)
        for stream in list(server.asked):
            server.answer(stream, 400, b"e" * 50_000)
            meet(client, server)
        assert batch.left == 0
    assert {a.body for a in batch.answers if isinstance(a, Reply)} == {b"e" * 50_000}


def test_an_endless_answer_is_cut_off_and_still_counts() -> None:
    client, server = met()
    batch = submit(client, 2)
    meet(client, server)
    server.h2.send_headers(1, [(b":status", b"200")])
    for _ in range(6):
        server.h2.send_data(1, b"z" * 16_000)
        client.receive(server.say())
    answer = batch.answers[0]
    assert isinstance(answer, Reply)
    assert answer.body == b"z" * 65_536
    server.answer(3)
    assert client.receive(server.say()) == [batch]
    server.hear(client.take())
    assert server.resets == {1: h2.errors.ErrorCodes.CANCEL}


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 40_000), min_size=1, max_size=12),
    st.lists(st.integers(0, 70_000), max_size=6),
    st.sampled_from([16_384, 20_000, 100_000]),
)
def test_any_bodies_under_moving_windows(sizes: list[int], moves: list[int], frame: int) -> None:
    client, server = met()
    server.change(MAX_FRAME_SIZE=frame)
    meet(client, server)
    bodies = [bytes([n % 256]) * size for n, size in enumerate(sizes)]
    stamps = [stamp(n, body) for n, body in enumerate(bodies)]
    batch = Batch(len(stamps))
    taken = 0
    for window in [*moves, 65_535]:
        taken += client.submit(TEMPLATE, stamps, taken, 3, batch)
        server.change(INITIAL_WINDOW_SIZE=window)
        meet(client, server)
    for _ in range(len(stamps)):
        taken += client.submit(TEMPLATE, stamps, taken, 100, batch)
        meet(client, server)
    assert [body for _, body in sorted(server.asked.values(), key=by_path)] == bodies


def by_path(asked: tuple[dict[bytes, bytes], bytes]) -> int:
    return int(asked[0][b":path"].rpartition(b"/")[2])


@pytest.mark.parametrize("window", [1, 7, 100])
def test_a_body_through_the_eye_of_a_needle(window: int) -> None:
    client, server = met(INITIAL_WINDOW_SIZE=window)
    client.submit(TEMPLATE, [stamp(0, b"n" * 5000)], 0, 1, Batch(1))
    meet(client, server)  # thousands of frames, all of them for something
    assert whole(server) == [5000]

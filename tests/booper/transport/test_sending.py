"""One sending and the queue it waits in."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.transport.queue import CHUNK, SHARE, Queue
from booper.transport.sending import FAREWELLS, REPLAYS, Sending, stretches
from booper.wire import Answer, Lost, Reply, Template
from tests.booper.transport.conftest import stamps

TEMPLATE = Template(b"a", b"/")
AGAIN = Lost(sent=False, reason="goaway")
GONE = Lost(sent=False, reason="closed")


class Taker:
    """A connection that notes what it is given."""

    def __init__(self, room: int, at_most: int = 10**6) -> None:
        self.room = room
        self.at_most = at_most
        self.given: list[tuple[Sending, int]] = []
        self.writes: list[int] = []
        self._unwritten = 0

    def submit(self, sending: Sending, limit: int) -> int:
        start, stop = sending.runs[0]
        took = min(limit, stop - start, self.room, self.at_most)
        self.given += [(sending, i) for i in range(start, start + took)]
        if took:
            sending.took(took)
        if took < min(limit, stop - start):
            self.room = 0
        self.room -= took
        self._unwritten += took
        return took

    def flush(self) -> None:
        self.writes.append(self._unwritten)
        self._unwritten = 0


def put(queue: Queue, count: int) -> Sending:
    sending = Sending(TEMPLATE, stamps(count), queue.returned)
    queue.put(sending)
    return sending


@given(st.sets(st.integers(0, 50)))
def test_stretches_hold_the_same_numbers(numbers: set[int]) -> None:
    runs = list(stretches(sorted(numbers)))
    assert [n for start, stop in runs for n in range(start, stop)] == sorted(numbers)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(runs))


def test_long_ones_take_turns_a_chunk_each() -> None:
    queue = Queue()
    first, second = put(queue, 300), put(queue, 200)
    taker = Taker(room=500)
    queue.fill(taker)
    turns = [
        *((first, i) for i in range(128)),
        *((second, i) for i in range(128)),
        *((first, i) for i in range(128, 256)),
        *((second, i) for i in range(128, 200)),
        *((first, i) for i in range(256, 300)),
    ]
    assert taker.given == turns
    assert taker.writes == [CHUNK, CHUNK, CHUNK, 500 - 3 * CHUNK]
    assert queue.count == 0


def test_a_short_one_does_not_wait_for_a_long_one_and_cannot_starve_it() -> None:
    queue = Queue()
    long, short = put(queue, 5 * CHUNK), put(queue, 1)
    taker = Taker(room=CHUNK)
    queue.fill(taker)
    assert taker.given[0] == (short, 0)
    for _ in range(4 * SHARE):  # short ones without end: each fills the room there is
        put(queue, CHUNK)
        queue.fill(taker := Taker(room=CHUNK))
        if any(sending is long for sending, _ in taker.given):
            break
    else:
        raise AssertionError("the long one never had its turn")


def test_a_taker_that_takes_nothing_is_left_alone() -> None:
    queue = Queue()
    put(queue, 10)
    queue.fill(taker := Taker(room=10, at_most=0))
    assert taker.given == []
    assert queue.count == 10


def test_what_came_back_goes_first() -> None:
    queue = Queue()
    first, second = put(queue, 10), put(queue, 10)
    queue.fill(Taker(room=10))
    for index in (7, 2, 3):
        first.lost(index, AGAIN)
    assert queue.reclaim()
    assert not queue.reclaim()
    assert (queue.count, queue.replayed) == (13, 3)
    queue.fill(taker := Taker(room=4))
    assert taker.given == [(first, 2), (first, 3), (first, 7), (second, 0)]


@pytest.mark.parametrize(
    ("answer", "often"),
    [
        (Lost(False, "refused", "REFUSED_STREAM"), REPLAYS),
        (Lost(False, "goaway", "PROTOCOL_ERROR"), REPLAYS),
        (Lost(False, "goaway", "NO_ERROR"), FAREWELLS),
    ],
)
def test_one_request_comes_back_only_so_often(answer: Lost, often: int) -> None:
    queue = Queue()
    sending = put(queue, 1)
    for _ in range(often):
        queue.fill(Taker(room=1))
        sending.lost(0, answer)
        assert queue.reclaim()
    queue.fill(Taker(room=1))
    sending.lost(0, answer)
    assert not queue.reclaim()
    assert sending.answers == [answer]


@pytest.mark.parametrize("answer", [Lost(True, "reset"), Lost(False, "deadline")])
def test_an_unknown_answer_or_an_ended_sending_never_goes_again(answer: Lost) -> None:
    queue = Queue()
    sending = put(queue, 1)
    queue.fill(Taker(room=1))
    if not answer.sent:
        sending.end()
    sending.lost(0, answer)
    assert not queue.reclaim()
    assert (sending.answers, sending.left) == ([answer], 0)


def test_who_is_taken_out_leaves_the_others() -> None:
    queue = Queue()
    first, second = put(queue, 10), put(queue, 5)
    queue.fill(Taker(room=4))
    queue.remove(first, GONE)
    assert first.answers == [None] * 4 + [GONE] * 6
    assert queue.count == 5
    queue.fill(taker := Taker(room=10))
    assert {sending for sending, _ in taker.given} == {second}


def test_failing_answers_everything_that_waits_and_nothing_else() -> None:
    queue = Queue()
    first, second = put(queue, 10), put(queue, 5)
    queue.fill(Taker(room=4))
    queue.fail(GONE)
    assert (first.left, second.left, queue.count) == (4, 0, 0)
    answer: Answer = Reply(200, (), b"")
    first.answers[0] = answer
    assert first.answers[0] is answer

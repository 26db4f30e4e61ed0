"""What was provably never processed goes again by itself; what may have been does not."""

from __future__ import annotations

from collections import Counter

import h2.errors
import pytest
import trio

from booper.wire import Lost, Reply
from tests.booper.transport.conftest import TEMPLATE, Field, stamps
from tests.booper.transport.peers import Peer, Script, echo, silence


def leaving_at(request: int) -> Script:
    """A GOAWAY when so many requests are here: it was the last that is processed."""

    def script(peer: Peer, stream: int, path: str) -> None:
        if peer.goodbye_said:
            return
        echo(peer, stream, path)
        if len(peer.requests) == request:
            peer.go_away(stream)

    return script


async def test_a_goaway_costs_nothing(field: Field, autojump_clock: object) -> None:
    field.net.delay = 0.05
    field.make = lambda: Peer(leaving_at(100), streams=64)
    pool = field.pool(max_connections=1)
    answers = await pool.send(TEMPLATE, stamps(1000), timeout=60)
    assert [a.body for a in answers if isinstance(a, Reply)] == [
        f"/{i}".encode() for i in range(1000)
    ]
    answered = Counter(path for peer in field.peers for path in peer.answered)
    assert set(answered.values()) == {1}
    assert pool.statistics().replayed > 0
    assert pool.statistics().closed >= 9


async def test_a_goaway_in_the_middle_lets_the_older_streams_end(
    field: Field, autojump_clock: object
) -> None:
    def script(peer: Peer, stream: int, path: str) -> None:
        if len(field.peers) > 1:
            echo(peer, stream, path)
        elif stream == 19:
            peer.go_away(9)

    field.make = lambda: Peer(script, streams=10)
    pool = field.pool(max_connections=1)
    async with trio.open_nursery() as callers:
        answers: list[object] = []

        async def caller() -> None:
            answers.extend(await pool.send(TEMPLATE, stamps(20), timeout=60))

        callers.start_soon(caller)
        await trio.sleep(1)
        first = field.peers[0]
        assert pool.statistics().draining == 1
        for stream, path in list(first.open.items()):
            if stream <= 9:
                echo(first, stream, path)
        first.flush()
    await trio.sleep(1)
    assert all(isinstance(a, Reply) for a in answers)
    assert first.answered == [f"/{i}" for i in range(5)]
    assert field.peers[1].answered == [f"/{i}" for i in range(5, 20)]
    assert pool.statistics().closed == 1


async def test_refused_streams_go_again_a_few_times(field: Field, autojump_clock: object) -> None:
    def script(peer: Peer, stream: int, path: str) -> None:
        times = peer.requests.count(path)
        if path == "/1" or (path == "/2" and times < 3):
            peer.reset(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
        else:
            echo(peer, stream, path)

    field.make = lambda: Peer(script)
    answers = await field.pool().send(TEMPLATE, stamps(4), timeout=60)
    assert [isinstance(a, Reply) for a in answers] == [True, False, True, True]
    assert answers[1] == Lost(False, "refused", "REFUSED_STREAM")
    assert Counter(field.peers[0].requests) == {"/0": 1, "/1": 4, "/2": 3, "/3": 1}


async def test_another_reset_is_an_unknown_answer(field: Field, autojump_clock: object) -> None:
    def script(peer: Peer, stream: int, path: str) -> None:
        if path == "/1":
            peer.reset(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
        else:
            echo(peer, stream, path)

    field.make = lambda: Peer(script)
    answers = await field.pool().send(TEMPLATE, stamps(3), timeout=60)
    assert answers[1] == Lost(True, "reset", "INTERNAL_ERROR")
    assert field.peers[0].requests == ["/0", "/1", "/2"]


async def test_a_line_that_breaks_leaves_unknown_answers(
    field: Field, autojump_clock: object
) -> None:
    def script(peer: Peer, stream: int, path: str) -> None:
        if len(field.peers) > 1:
            echo(peer, stream, path)
        elif stream == 9:
            assert peer.near is not None
            peer.near.hang_up()

    field.make = lambda: Peer(script, streams=5)
    answers = await field.pool(max_connections=1).send(TEMPLATE, stamps(8), timeout=60)
    lost = Lost(True, "closed", "the peer closed the connection")
    assert answers[:5] == [lost] * 5
    assert all(isinstance(a, Reply) for a in answers[5:])
    assert field.peers[1].requests == ["/5", "/6", "/7"]


async def test_a_peer_that_turns_everybody_away_is_not_asked_for_ever(
    field: Field, autojump_clock: object
) -> None:
    def script(peer: Peer, stream: int, path: str) -> None:
        peer.go_away(0, 11)

    field.make = lambda: Peer(script, streams=5)
    pool = field.pool(max_connections=1)
    begun = trio.current_time()
    answers = await pool.send(TEMPLATE, stamps(8), timeout=60)
    assert trio.current_time() == begun
    assert all(isinstance(a, Lost) and not a.sent for a in answers)
    assert field.net.dialled <= 3
    assert pool.statistics().in_flight == pool.statistics().queued == 0


async def test_a_peer_that_speaks_no_http2_is_named(field: Field, autojump_clock: object) -> None:
    class Web(Peer):
        def hear(self, data: bytes) -> None:
            self.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    field.make = lambda: Web(deaf=True)
    (answer,) = await field.pool().send(TEMPLATE, stamps(1), timeout=60)
    assert isinstance(answer, Lost)
    assert (answer.sent, answer.reason) == (False, "connect_failed")
    assert "(peer)" in answer.detail


@pytest.mark.parametrize("code", [0, 11])
async def test_a_goaway_on_an_idle_connection_is_not_noticed_by_the_next_send(
    field: Field, autojump_clock: object, code: int
) -> None:
    pool = field.pool()
    await pool.send(TEMPLATE, stamps(1), timeout=5)
    field.peers[0].go_away(1, code)
    await trio.sleep(1)
    assert pool.statistics().connections == 0
    assert field.net.lines[0].closed
    (answer,) = await pool.send(TEMPLATE, stamps(1), timeout=5)
    assert isinstance(answer, Reply)


async def test_nothing_goes_again_after_the_deadline(field: Field, autojump_clock: object) -> None:
    field.make = lambda: Peer(silence, streams=5)
    pool = field.pool(max_connections=1)
    answers = await pool.send(TEMPLATE, stamps(5), timeout=1)
    assert all(isinstance(a, Lost) and a.sent for a in answers)
    field.peers[0].go_away(0)
    await trio.sleep(1)
    assert field.net.dialled == 1
    assert pool.statistics().queued == 0


@pytest.mark.parametrize("jam", [False, True])
async def test_last_words_are_heard_when_the_line_takes_no_more(
    field: Field, nursery: trio.Nursery, autojump_clock: object, jam: bool
) -> None:
    field.net.delay = 0.1
    field.make = lambda: Peer(echo if field.peers else silence, streams=20)
    pool = field.pool(max_connections=1)
    got: list[object] = []
    async with trio.open_nursery() as callers:

        async def caller(name: str) -> None:
            got.extend(await pool.send(TEMPLATE, stamps(10, name), timeout=60))

        callers.start_soon(caller, "first")
        await trio.sleep(5)
        line = field.net.lines[0]
        line.jam = jam
        line.broken = not jam
        field.peers[0].go_away(9)  # arrives in a moment; what is written meanwhile fails
        field.net.lines[0].hang_up()
        callers.start_soon(caller, "second")
        await trio.sleep(0.05)
        line.broken = True
        line.unjam()
    unknown = [a for a in got if isinstance(a, Lost)]
    assert [a.sent for a in unknown] == [True] * 5
    assert sum(isinstance(a, Reply) for a in got) == 15
    assert len(field.peers[1].answered) == 15


async def test_a_line_that_breaks_without_a_word_is_given_up(
    field: Field, autojump_clock: object
) -> None:
    pool = field.pool(max_connections=1)
    await pool.warm(timeout=5)
    field.net.lines[0].broken = True
    answers = await pool.send(TEMPLATE, stamps(3), timeout=60)
    assert answers == [Lost(True, "closed", "broken pipe")] * 3
    assert field.net.lines[0].closed
    assert pool.statistics().connections == 0

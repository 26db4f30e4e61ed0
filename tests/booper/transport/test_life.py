"""How long connections live and how many there are, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.wire import Lost, Reply
from tests.booper.transport.conftest import TEMPLATE, Field, stamps
from tests.booper.transport.peers import Peer, Script, echo, silence

if TYPE_CHECKING:
    from booper.transport.pool import Pool


def after(seconds: float, nursery: trio.Nursery) -> Script:
    """Answers that take a while."""

    def script(peer: Peer, stream: int, path: str) -> None:
        async def later() -> None:
            await trio.sleep(seconds)
            echo(peer, stream, path)
            peer.flush()

        nursery.start_soon(later)

    return script


async def background(pool: Pool, count: int, into: list[object], within: float = 600) -> None:
    into.extend(await pool.send(TEMPLATE, stamps(count), timeout=within))


@pytest.mark.parametrize("streams", [50, 100])
async def test_the_peers_whole_limit_is_kept_in_flight(
    field: Field, autojump_clock: object, streams: int
) -> None:
    field.net.delay = 0.025
    field.make = lambda: Peer(streams=streams)
    pool = field.pool(max_connections=1)
    await pool.warm(timeout=5)
    begun = trio.current_time()
    answers: list[object] = []
    async with trio.open_nursery() as callers:
        callers.start_soon(background, pool, streams * 40, answers)
        for _ in range(15):
            await trio.sleep(0.11)
            assert pool.statistics().in_flight == streams
    took = trio.current_time() - begun
    assert all(isinstance(a, Reply) for a in answers)
    assert took == pytest.approx(40 * 0.05, rel=0.1)


async def test_connections_grow_to_the_cap_and_shrink_again(
    field: Field, nursery: trio.Nursery, autojump_clock: object
) -> None:
    field.make = lambda: Peer(after(1.0, nursery), streams=10)
    pool = field.pool(max_connections=3)
    got: list[object] = []
    nursery.start_soon(background, pool, 300, got)
    await trio.sleep(5)
    assert pool.statistics().connections == 3
    assert pool.statistics().in_flight == 30
    for _ in range(100):  # little, but all the time: no connection is ever idle for long
        await pool.send(TEMPLATE, stamps(2), timeout=60)
    assert len(got) == 300
    assert pool.statistics().connections == 1
    assert field.net.dialled == 3


async def test_few_requests_need_one_connection(field: Field, autojump_clock: object) -> None:
    pool = field.pool(max_connections=8)
    for _ in range(20):
        await pool.send(TEMPLATE, stamps(90), timeout=60)
    assert field.net.dialled == 1


async def test_growing_fails_without_harm(
    field: Field, nursery: trio.Nursery, autojump_clock: object
) -> None:
    field.make = lambda: Peer(after(1.0, nursery), streams=10)
    pool = field.pool(max_connections=3)
    await pool.warm(timeout=5)
    field.net.refuse = "no more"
    answers = await pool.send(TEMPLATE, stamps(300), timeout=60)
    assert all(isinstance(a, Reply) for a in answers)
    assert 2 <= field.net.dialled <= 20


@pytest.mark.parametrize("streams", [0, 1])
async def test_a_peer_that_allows_next_to_nothing_neither_spins_nor_hangs(
    field: Field, autojump_clock: object, streams: int
) -> None:
    field.make = lambda: Peer(silence, streams=streams)
    pool = field.pool(max_connections=2)
    answers = await pool.send(TEMPLATE, stamps(10), timeout=5)
    assert [isinstance(a, Lost) and a.sent for a in answers].count(True) == streams * 2
    assert field.net.dialled == 2
    for peer in field.peers:
        peer.script = echo
        peer.allow(10)
    answers = await pool.send(TEMPLATE, stamps(10), timeout=5)
    assert all(isinstance(a, Reply) for a in answers)


async def test_a_lower_limit_in_the_middle_is_kept(
    field: Field, nursery: trio.Nursery, autojump_clock: object
) -> None:
    field.make = lambda: Peer(after(0.1, nursery), streams=50)
    pool = field.pool(max_connections=1)
    got: list[object] = []
    nursery.start_soon(background, pool, 1000, got)
    await trio.sleep(0.55)
    peer = field.peers[0]
    assert peer.most_open == 50
    peer.allow(5)
    await trio.sleep(0.3)
    peer.most_open = 0
    await trio.sleep(1)
    assert peer.most_open == 5
    await trio.sleep(60)
    assert sum(isinstance(a, Reply) for a in got) == 1000


async def test_one_request_at_a_time_until_the_first_is_accepted(
    field: Field, autojump_clock: object
) -> None:
    def script(peer: Peer, stream: int, path: str) -> None:
        number = len(peer.requests)
        peer.answer(stream, 403 if number < 3 else 410 if number == 3 else 200, path)

    field.net.delay = 0.5
    field.make = lambda: Peer(script, streams=50)
    pool = field.pool(one_stream_start=True, max_connections=4)
    answers: list[object] = []
    async with trio.open_nursery() as callers:
        callers.start_soon(background, pool, 20, answers)
        await trio.sleep(4.3)  # dialling 1, settings 0.5, then a second for each
        assert len(field.peers[0].requests) == 3
        assert pool.statistics().in_flight == 1
    assert [a.status for a in answers if isinstance(a, Reply)] == [403, 403, 410] + [200] * 17
    assert field.net.dialled == 1


async def test_silence_is_met_with_a_ping_and_a_dead_peer_is_left(
    field: Field, autojump_clock: object
) -> None:
    pool = field.pool(ping_interval=30, idle_timeout=1000)
    await pool.send(TEMPLATE, stamps(1), timeout=5)
    await trio.sleep(100)
    assert field.peers[0].pings == 3
    assert pool.statistics().connections == 1
    field.peers[0].deaf = True
    await trio.sleep(45)
    assert pool.statistics().connections == 0
    assert field.net.lines[0].closed


async def test_who_waits_on_a_dead_peer_learns_it_before_the_deadline(
    field: Field, autojump_clock: object
) -> None:
    field.make = lambda: Peer(silence)
    pool = field.pool(ping_interval=30)
    await pool.warm(timeout=5)
    got: list[object] = []
    async with trio.open_nursery() as callers:
        callers.start_soon(background, pool, 3, got)
        await trio.sleep(1)
        field.peers[0].deaf = True
        begun = trio.current_time()
    assert trio.current_time() - begun < 45
    assert got == [Lost(True, "closed", "the peer does not answer")] * 3


async def test_an_idle_connection_is_closed_politely(field: Field, autojump_clock: object) -> None:
    pool = field.pool(idle_timeout=100)
    await pool.send(TEMPLATE, stamps(1), timeout=5)
    await trio.sleep(99)
    assert pool.statistics().connections == 1
    await trio.sleep(2)
    assert pool.statistics().connections == 0
    assert field.peers[0].goodbye
    (answer,) = await pool.send(TEMPLATE, stamps(1), timeout=5)
    assert isinstance(answer, Reply)


async def test_an_old_connection_is_replaced_under_load_without_a_gap(
    field: Field, nursery: trio.Nursery, autojump_clock: object
) -> None:
    field.net.delay = 0.05
    field.make = lambda: Peer(after(0.2, nursery), streams=20)
    pool = field.pool(max_connections=1, max_age=10)
    answers = await pool.send(TEMPLATE, stamps(2000), timeout=600)  # about 30 s of work
    assert all(isinstance(a, Reply) for a in answers)
    assert sum(len(peer.requests) for peer in field.peers) == 2000
    assert pool.statistics().opened in (3, 4)
    assert all(peer.goodbye for peer in field.peers[:-1])


async def test_an_old_connection_stays_while_no_other_comes(
    field: Field, nursery: trio.Nursery, autojump_clock: object
) -> None:
    field.make = lambda: Peer(after(0.2, nursery), streams=20)
    pool = field.pool(max_connections=1, max_age=10)
    await pool.warm(timeout=5)
    field.net.refuse = "not now"
    answers = await pool.send(TEMPLATE, stamps(2000), timeout=600)
    assert all(isinstance(a, Reply) for a in answers)
    assert pool.statistics().opened == 1
    assert pool.statistics().failed >= 5


async def test_nothing_more_is_taken_while_the_line_is_jammed(
    field: Field, autojump_clock: object
) -> None:
    field.make = lambda: Peer(streams=1000)
    pool = field.pool(max_connections=1)
    await pool.warm(timeout=5)
    line = field.net.lines[0]
    line.jam = True
    got: list[object] = []
    async with trio.open_nursery() as callers:
        callers.start_soon(background, pool, 1000, got)
        await trio.sleep(5)
        assert pool.statistics().in_flight == 128
        assert pool.statistics().queued == 872
        line.unjam()
    assert sum(isinstance(a, Reply) for a in got) == 1000


async def test_bodies_wait_for_the_peers_windows(field: Field, autojump_clock: object) -> None:
    pool = field.pool(max_connections=1)
    big = [(f"{i}".encode(), (), bytes(200_000)) for i in range(5)]
    answers = await pool.send(TEMPLATE, big, timeout=60)
    assert [a.body for a in answers if isinstance(a, Reply)] == [b"/0", b"/1", b"/2", b"/3", b"/4"]


async def test_a_window_that_never_opens_ends_at_the_deadline(
    field: Field, autojump_clock: object
) -> None:
    field.make = lambda: Peer(streams=10, window=0)
    pool = field.pool(max_connections=1)
    for _ in range(3):
        answers = await pool.send(TEMPLATE, stamps(20), timeout=5)
        assert answers == [Lost(False, "deadline")] * 20
        assert pool.statistics().in_flight == pool.statistics().queued == 0
    assert field.net.dialled == 1
    assert field.peers[0].requests == []

"""A pool over memory and virtual time: answers, order, deadlines, cancellation, closing."""

from __future__ import annotations

import pytest
import trio

from booper.transport.pool import Pool
from booper.wire import Endpoint, Lost, Reply, Template
from tests.booper.transport.conftest import TEMPLATE, EvenDice, Field, stamps
from tests.booper.transport.peers import Peer, echo, silence


async def test_one_answer_per_stamp_in_order(field: Field, autojump_clock: object) -> None:
    answers = await field.pool().send(TEMPLATE, stamps(1000), timeout=5)
    assert [a.body for a in answers if isinstance(a, Reply)] == [
        f"/{i}".encode() for i in range(1000)
    ]


async def test_nothing_is_dialled_before_the_first_send(
    field: Field, autojump_clock: object
) -> None:
    pool = field.pool()
    await trio.sleep(100)
    assert field.net.dialled == 0
    await pool.send(TEMPLATE, stamps(1), timeout=5)
    assert field.net.dialled == 1


async def test_no_stamps_no_answers(field: Field, autojump_clock: object) -> None:
    assert await field.pool().send(TEMPLATE, [], timeout=5) == []
    assert field.net.dialled == 0


async def test_a_wrong_number_of_values_is_the_callers_mistake(
    field: Field, autojump_clock: object
) -> None:
    template = Template(b"a", b"/", (), (b"apns-id",))
    with pytest.raises(ValueError, match="one value for each"):
        await field.pool().send(template, stamps(1), timeout=5)


async def test_a_template_that_cannot_be_sent_is_the_callers_mistake(
    field: Field, autojump_clock: object
) -> None:
    pool = field.pool()
    wrong = Template(b"a", b"/", ((b"Upper", b"case"),))
    with pytest.raises(ValueError, match="cannot be sent"):
        await pool.send(wrong, stamps(3), timeout=5)
    (answer,) = await pool.send(TEMPLATE, stamps(1), timeout=5)
    assert isinstance(answer, Reply)
    assert pool.statistics().queued == 0


async def test_many_callers_share_one_connection(field: Field, autojump_clock: object) -> None:
    pool = field.pool()

    async def one(name: str) -> None:
        (answer,) = await pool.send(TEMPLATE, stamps(1, name), timeout=5)
        assert isinstance(answer, Reply)
        assert answer.body == f"/{name}0".encode()

    async with trio.open_nursery() as callers:
        for i in range(90):
            callers.start_soon(one, f"caller-{i}-")
    assert field.net.dialled == 1


async def test_a_deadline_ends_what_is_open_and_resets_its_streams(
    field: Field, autojump_clock: object
) -> None:
    field.make = lambda: Peer(silence, streams=10)
    pool = field.pool(max_connections=1)
    begun = trio.current_time()
    answers = await pool.send(TEMPLATE, stamps(25), timeout=3)
    assert 3 <= trio.current_time() - begun <= 3 + 1 / 32
    assert answers[:10] == [Lost(True, "deadline")] * 10
    assert answers[10:] == [Lost(False, "deadline")] * 15
    await trio.sleep(1)
    assert len(field.peers[0].resets) == 10
    assert pool.statistics().in_flight == pool.statistics().queued == 0


async def test_a_cancelled_caller_disturbs_nobody(field: Field, autojump_clock: object) -> None:
    def script(peer: Peer, stream: int, path: str) -> None:
        if "gone" not in path:
            echo(peer, stream, path)

    field.make = lambda: Peer(script)
    pool = field.pool(max_connections=1)
    async with trio.open_nursery() as callers:

        async def leave() -> None:
            with trio.move_on_after(1):
                await pool.send(TEMPLATE, stamps(150, "gone"), timeout=60)

        callers.start_soon(leave)
        await trio.sleep(0.5)
        assert pool.statistics().in_flight == 100
        assert pool.statistics().queued == 50
        answers = await pool.send(TEMPLATE, stamps(200, "kept"), timeout=60)
    assert all(isinstance(a, Reply) for a in answers)
    assert field.net.dialled == 1
    assert len(field.peers[0].requests) == 300


async def test_late_answers_of_a_cancelled_caller_reach_nobody(
    field: Field, autojump_clock: object
) -> None:
    field.net.delay = 0.5
    pool = field.pool(max_connections=1)
    await pool.warm(timeout=10)
    with trio.move_on_after(0.8):  # the answers are on their way
        await pool.send(TEMPLATE, stamps(50, "old"), timeout=60)
    answers = await pool.send(TEMPLATE, stamps(50, "new"), timeout=60)
    assert [a.body for a in answers if isinstance(a, Reply)] == [
        f"/new{i}".encode() for i in range(50)
    ]


async def test_aclose_lets_queue_and_flight_end(field: Field, autojump_clock: object) -> None:
    field.net.delay = 1
    field.make = lambda: Peer(streams=10)
    pool = field.pool(max_connections=1)
    got: list[object] = []

    async def caller() -> None:
        got.extend(await pool.send(TEMPLATE, stamps(35), timeout=60))

    async with trio.open_nursery() as callers:
        callers.start_soon(caller)
        await trio.sleep(5)
        await pool.aclose()
    assert len(got) == 35
    assert all(isinstance(a, Reply) for a in got)
    assert field.net.lines[0].closed
    after = await pool.send(TEMPLATE, stamps(2), timeout=1)
    assert after == [Lost(False, "closed", "the pool is closed")] * 2


async def test_aclose_cancelled_closes_at_once(field: Field, autojump_clock: object) -> None:
    field.make = lambda: Peer(silence, streams=10)
    pool = field.pool(max_connections=1)
    got: list[object] = []

    async def caller() -> None:
        got.extend(await pool.send(TEMPLATE, stamps(12), timeout=60))

    async with trio.open_nursery() as callers:
        callers.start_soon(caller)
        await trio.sleep(1)
        with trio.move_on_after(2):
            await pool.aclose()
    assert (
        got
        == [Lost(True, "closed", "closed")] * 10 + [Lost(False, "closed", "the pool is closed")] * 2
    )


async def test_warm_connects_ahead_or_says_why_not(field: Field, autojump_clock: object) -> None:
    pool = field.pool(connect_timeout=3)
    field.net.refuse = "nobody there"
    assert await pool.warm(timeout=10) == Lost(False, "connect_failed", "nobody there")
    field.net.refuse = None
    field.make = lambda: Peer(deaf=True)
    silent = await pool.warm(timeout=10)
    assert silent == Lost(False, "connect_failed", "no HTTP/2 settings came in time")
    field.make = Peer
    assert await pool.warm(timeout=10) is None
    assert pool.statistics().connections == 1
    assert await pool.warm(timeout=10) is None
    assert field.net.dialled == 3


async def test_warming_has_a_deadline_and_an_end(field: Field, autojump_clock: object) -> None:
    field.net.slow = 5
    pool = field.pool()
    late = Lost(False, "connect_failed", "no connection within 1 s")
    assert await pool.warm(timeout=1) == late
    assert await pool.warm(timeout=10) is None
    await pool.aclose()
    assert await pool.warm(timeout=1) == Lost(False, "closed", "the pool is closed")


async def test_a_pool_that_never_ran_can_be_closed(field: Field, autojump_clock: object) -> None:
    pool = Pool(Endpoint("a"), dial=field.net.dial, dice=EvenDice())
    async with trio.open_nursery() as callers:

        async def caller() -> None:
            (answer,) = await pool.send(TEMPLATE, stamps(1), timeout=5)
            assert answer == Lost(False, "closed", "the pool is closed")

        callers.start_soon(caller)
        await trio.testing.wait_all_tasks_blocked()
        await pool.aclose()
    await pool.run()
    assert field.net.dialled == 0


async def test_who_waits_is_told_at_once_when_connecting_fails(
    field: Field, autojump_clock: object
) -> None:
    field.net.refuse = "nobody there"
    begun = trio.current_time()
    answers = await field.pool().send(TEMPLATE, stamps(3), timeout=60)
    assert answers == [Lost(False, "connect_failed", "nobody there")] * 3
    assert trio.current_time() == begun


async def test_a_running_pool_that_dies_answers_everybody(
    field: Field, nursery: trio.Nursery, autojump_clock: object
) -> None:
    field.make = lambda: Peer(silence, streams=10)
    pool = field.pool(max_connections=1)
    got: list[object] = []

    async def caller() -> None:
        got.extend(await pool.send(TEMPLATE, stamps(12), timeout=60))

    async with trio.open_nursery() as callers:
        callers.start_soon(caller)
        await trio.sleep(1)
        pool._scope.cancel()
    assert [a.sent for a in got if isinstance(a, Lost)] == [True] * 10 + [False] * 2

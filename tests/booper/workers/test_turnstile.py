"""The turnstile, in virtual time: caps, one probe after a pause, and nothing lost on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
import trio
from structlog.testing import capture_logs

from booper.domain.breaker import FAILURES, PAUSE, REFUSED_PAUSE, State
from booper.domain.outcome import ACCEPTED, About, Kind, Outcome
from booper.domain.protection import DEFAULT, Protection
from booper.workers.turnstile import PATIENCE, TURN, Slots, Turnstile
from tests.booper.domain.test_delivery import batch
from tests.booper.workers.effects import ports

if TYPE_CHECKING:
    from trio.testing import MockClock

    from booper.domain.delivery import Batch

BUSY = Outcome(Kind.RETRY, 503, "busy")
BAD_KEY = Outcome(Kind.REFUSED, 403, "InvalidProviderToken", after=60.0)


class Provider:
    """Answers all alike after a while, and remembers the sizes it was sent, and when."""

    def __init__(self, answer: Outcome = ACCEPTED, seconds: float = 0.0) -> None:
        self.answer = answer
        self.seconds = seconds
        self.sent: list[tuple[float, int]] = []
        self.in_flight = self.peak = 0

    async def carry(self, part: Batch) -> list[Outcome]:
        size = len(part.targets)
        self.sent.append((trio.current_time(), size))
        self.in_flight += size
        self.peak = max(self.peak, self.in_flight)
        try:
            await trio.sleep(self.seconds)
        finally:
            self.in_flight -= size
        return [self.answer] * size


def kinds(outcomes: list[Outcome]) -> list[str]:
    return [outcome.kind.value for outcome in outcomes]


async def test_without_caps_a_batch_goes_whole_and_unchanged(autojump_clock: MockClock) -> None:
    turnstile, given, seen = Turnstile("main", DEFAULT, ports()), batch(500), []

    async def carry(part: Batch) -> list[Outcome]:
        seen.append(part)
        return [ACCEPTED] * len(part.targets)

    assert await turnstile.pass_through(given, carry) == [ACCEPTED] * 500
    assert seen[0] is given
    assert turnstile.wait() == 0.0


async def test_no_more_are_in_flight_than_the_cap_and_all_go(autojump_clock: MockClock) -> None:
    provider = Provider(seconds=0.1)
    turnstile = Turnstile("main", Protection(max_in_flight=120), ports())
    outcomes: list[Outcome] = []

    async def one() -> None:
        outcomes.extend(await turnstile.pass_through(batch(300), provider.carry))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(one)
    assert kinds(outcomes) == ["accepted"] * 1200
    assert provider.peak == 120


async def test_the_rate_is_kept_and_what_would_wait_too_long_is_held(
    autojump_clock: MockClock,
) -> None:
    provider = Provider()
    turnstile = Turnstile("main", Protection(rate=10), ports())
    begin = trio.current_time()
    found = await turnstile.pass_through(batch(500), provider.carry)
    took = trio.current_time() - begin
    gone = kinds(found).count("accepted")
    assert took == pytest.approx(TURN, abs=1.0)
    assert gone == pytest.approx(10 * TURN, abs=20)
    assert kinds(found) == ["accepted"] * gone + ["held"] * (500 - gone)
    assert found[-1].reason == "the instance sends as much as it may"


async def test_who_would_wait_too_long_does_not_queue_up(autojump_clock: MockClock) -> None:
    provider = Provider()
    turnstile = Turnstile("main", Protection(rate=1), ports())
    found: list[list[Outcome]] = []

    async def one() -> None:
        found.append(await turnstile.pass_through(batch(1), provider.carry))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(one)
        await trio.testing.wait_all_tasks_blocked()
        assert turnstile.wait() > PATIENCE
    held = [outcomes[0] for outcomes in found if outcomes[0].kind is Kind.HELD]
    assert len(held) == 20 - 7, "one at once, and one a second while it is worth waiting"
    assert all(outcome.after == PATIENCE for outcome in held)


async def test_after_five_failures_nothing_goes_until_one_probe_of_one_device(
    autojump_clock: MockClock,
) -> None:
    provider = Provider(BUSY)
    turnstile = Turnstile("main", DEFAULT, ports())
    with capture_logs() as logs:
        for _ in range(FAILURES):
            assert kinds(await turnstile.pass_through(batch(3), provider.carry)) == ["retry"] * 3
    assert (logs[-1]["event"], logs[-1]["state"], logs[-1]["why"]) == ("breaker", "open", "busy")
    provider.sent.clear()
    (held,) = await turnstile.pass_through(batch(1), provider.carry)
    assert (held.kind, held.after) == (Kind.HELD, PATIENCE)
    assert turnstile.wait() == pytest.approx(PAUSE, abs=0.1)
    assert provider.sent == []
    await trio.sleep(PAUSE)
    found = await turnstile.pass_through(batch(500), provider.carry)
    assert kinds(found) == ["held"] * 500, "a probe is no try"
    assert found[0].reason == "busy"
    assert [size for _, size in provider.sent] == [1]
    assert turnstile.wait() == pytest.approx(PAUSE, abs=0.1)


async def test_a_probe_that_works_lets_the_rest_of_its_batch_follow(
    autojump_clock: MockClock,
) -> None:
    provider = Provider(BUSY)
    turnstile = Turnstile("main", DEFAULT, ports())
    for _ in range(FAILURES):
        await turnstile.pass_through(batch(1), provider.carry)
    await trio.sleep(PAUSE)
    provider.answer = ACCEPTED
    provider.sent.clear()
    assert kinds(await turnstile.pass_through(batch(500), provider.carry)) == ["accepted"] * 500
    assert [size for _, size in provider.sent] == [1, 499]
    assert turnstile.state is State.CLOSED


async def test_while_a_probe_is_under_way_all_others_are_held(autojump_clock: MockClock) -> None:
    provider = Provider(BUSY)
    turnstile = Turnstile("main", DEFAULT, ports())
    for _ in range(FAILURES):
        await turnstile.pass_through(batch(1), provider.carry)
    await trio.sleep(PAUSE)
    provider.sent.clear()
    provider.seconds = 5.0
    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(turnstile.pass_through, batch(10), provider.carry)
    assert [size for _, size in provider.sent] == [1]


async def test_a_refused_credential_stops_all_but_who_asks_for_the_provider_s_words(
    autojump_clock: MockClock,
) -> None:
    provider = Provider(BAD_KEY)
    turnstile = Turnstile("main", DEFAULT, ports())
    await turnstile.pass_through(batch(500), provider.carry)
    assert turnstile.wait() == pytest.approx(REFUSED_PAUSE, abs=0.1)
    assert kinds(await turnstile.pass_through(batch(2), provider.carry)) == ["held"] * 2
    assert await turnstile.pass_through(batch(1), provider.carry, urgent=True) == [BAD_KEY]
    provider.answer = ACCEPTED
    assert await turnstile.pass_through(batch(1), provider.carry, urgent=True) == [ACCEPTED]
    assert turnstile.state is State.OPEN, "the breaker is not told"


async def test_where_devices_live_at_many_servers_one_dead_server_stops_nobody(
    autojump_clock: MockClock,
) -> None:
    provider = Provider(Outcome(Kind.RETRY, 0, "connect_failed"))
    turnstile = Turnstile("main", DEFAULT, ports(), one_provider=False)
    for _ in range(FAILURES * 2):
        await turnstile.pass_through(batch(1), provider.carry)
    assert turnstile.state is State.CLOSED


async def test_of_many_servers_only_its_own_that_refuses_the_key_stops_it(
    autojump_clock: MockClock,
) -> None:
    """ntfy 40101, 40301 and 42909."""
    provider = Provider(msgspec.structs.replace(BAD_KEY, about=About.STRANGER))
    turnstile = Turnstile("main", DEFAULT, ports(), one_provider=False)
    assert kinds(await turnstile.pass_through(batch(1), provider.carry)) == ["refused"]
    assert turnstile.wait() == 0
    provider.answer = BAD_KEY
    await turnstile.pass_through(batch(1), provider.carry)
    assert turnstile.state is State.OPEN
    assert kinds(await turnstile.pass_through(batch(2), provider.carry)) == ["held"] * 2
    await trio.sleep(REFUSED_PAUSE * 1.1)
    provider.answer = Outcome(Kind.ACCEPTED, 200, about=About.STRANGER)
    assert kinds(await turnstile.pass_through(batch(1), provider.carry)) == ["accepted"]
    assert turnstile.state is State.OPEN, "a stranger's good word proves no key"
    provider.answer = ACCEPTED
    await turnstile.pass_through(batch(1), provider.carry)
    assert turnstile.wait() == 0


async def test_an_instance_that_stops_begins_nothing_more(autojump_clock: MockClock) -> None:
    provider = Provider(seconds=1.0)
    turnstile = Turnstile("main", Protection(max_in_flight=10), ports())
    async with trio.open_nursery() as nursery:
        found: list[Outcome] = []

        async def one() -> None:
            found.extend(await turnstile.pass_through(batch(30), provider.carry))

        nursery.start_soon(one)
        await trio.sleep(1.5)
        turnstile.close()
    assert kinds(found) == ["accepted"] * 20 + ["held"] * 10, "what is under way is seen through"


async def test_cancelled_it_gives_its_places_back(autojump_clock: MockClock) -> None:
    provider = Provider(seconds=10.0)
    turnstile = Turnstile("main", Protection(max_in_flight=10), ports())
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(turnstile.pass_through, batch(10), provider.carry)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    provider.seconds = 0.0
    with trio.fail_after(1):
        assert kinds(await turnstile.pass_through(batch(10), provider.carry)) == ["accepted"] * 10


async def test_a_crash_on_the_way_gives_its_places_back(autojump_clock: MockClock) -> None:
    turnstile = Turnstile("main", Protection(max_in_flight=1), ports())

    async def crash(part: Batch) -> list[Outcome]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await turnstile.pass_through(batch(1), crash)
    with trio.fail_after(1):
        assert await turnstile.pass_through(batch(1), Provider().carry) == [ACCEPTED]


async def test_places_go_to_those_who_came_first_and_a_big_one_is_not_starved(
    autojump_clock: MockClock,
) -> None:
    slots, order = Slots(10), []

    async def come(name: str, count: int, begin: float) -> None:
        await trio.sleep(begin)
        await slots.acquire(count)
        order.append(name)
        await trio.sleep(10)
        slots.release(count)

    async with trio.open_nursery() as nursery:
        for n, (name, count) in enumerate([("a", 6), ("big", 10), ("b", 1), ("c", 1)]):
            nursery.start_soon(come, name, count, float(n))
    assert order[:2] == ["a", "big"]
    assert sorted(order[2:]) == ["b", "c"]


async def test_who_gives_up_waiting_lets_the_next_one_through(autojump_clock: MockClock) -> None:
    slots = Slots(2)
    await slots.acquire(1)
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(1) as given_up:
            nursery.start_soon(slots.acquire, 1)
            await trio.testing.wait_all_tasks_blocked()
            await slots.acquire(2)
    assert given_up.cancelled_caught
    slots.release(1)
    with trio.fail_after(1):
        await slots.acquire(1)

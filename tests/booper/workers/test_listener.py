"""The listener, in virtual time: who is told what, and what happens while nothing is heard."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
from structlog.testing import capture_logs

from actors import Actor, Cast, Ref, Registry, actor_worker
from booper.domain.errors import Unavailable
from booper.domain.hint import Hint, Kind
from booper.ports import Ports
from booper.workers import names
from booper.workers.access import Look
from booper.workers.listener import DEAF, LONGEST, Listener
from booper.workers.messages import Changed, Missed, Spread, Wake
from tests.booper.workers.stage import Clock, Dice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from booper.ports import Tx

TOLD = (names.KEEPER, names.FANOUT, names.DISPATCHER, names.resolver("one"))
EVERYBODY = {
    names.KEEPER: [Missed()],
    names.FANOUT: [Wake()],
    names.DISPATCHER: [Wake()],
    names.resolver("one"): [Look(told=True)],
}


class Wire:
    """A server that can be away, lose its connections, or carry nothing."""

    def __init__(self) -> None:
        self.away = self.deaf = False
        self.tries: list[float] = []
        self.told: list[tuple[float, Hint]] = []
        self._send, self._receive = trio.open_memory_channel[Hint | None](math.inf)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[Wire]:
        self.tries.append(trio.current_time())
        if self.away:
            raise Unavailable("nobody there", code="store_unavailable")
        yield self

    async def heard(self) -> list[Hint]:
        one = await self._receive.receive()
        if one is None:
            raise Unavailable("lost", code="store_unavailable")
        return [one]

    async def tell(self, hint: Hint) -> None:
        """Also what a transaction says."""
        self.told.append((trio.current_time(), hint))
        if not self.deaf:
            self._send.send_nowait(hint)

    def say(self, kind: Kind, name: str = "") -> None:
        self._send.send_nowait(Hint(kind, name))

    def lose(self) -> None:
        self._send.send_nowait(None)

    async def write(self, work: Callable[[Tx], Awaitable[Any]]) -> Any:
        return await work(self)  # type: ignore[arg-type]


class Taker(Actor):
    """Remembers what it was told."""

    def __init__(self, told: list[Cast]) -> None:
        self.told = told

    async def handle_cast(self, message: Cast) -> None:
        self.told.append(message)


class World:
    """A listener with everybody around it."""

    def __init__(self) -> None:
        self.wire, self.registry = Wire(), Registry()
        self.told: dict[str, list[Cast]] = {name: [] for name in TOLD}
        self.forgotten: list[str | None] = []

    def listener(self) -> Listener:
        five: list[Any] = [self.wire, None, Clock(), None, Dice(), None, None]
        return Listener(Ports(*five), self.wire, self.forgotten.append, "me")

    async def news(self) -> dict[str, list[Cast]]:
        """What each was told since the last time, once all is quiet."""
        await trio.testing.wait_all_tasks_blocked()
        found = {name: list(told) for name, told in self.told.items() if told}
        for told in self.told.values():
            told.clear()
        return found


@asynccontextmanager
async def world(**wire: bool) -> AsyncIterator[World]:
    """Everybody at work."""
    here = World()
    for name, value in wire.items():
        setattr(here.wire, name, value)
    async with trio.open_nursery() as nursery:
        for name, told in here.told.items():
            await nursery.start(actor_worker(partial(Taker, told), here.registry, name))
        await nursery.start(actor_worker(here.listener, here.registry, names.LISTENER))
        yield here
        nursery.cancel_scope.cancel()


async def test_who_begins_to_hear_has_everybody_look(autojump_clock: object) -> None:
    async with world() as here:
        assert await here.news() == EVERYBODY
        assert here.forgotten == [None]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Hint(Kind.INSTANCE, "app/a"), {names.KEEPER: [Changed("app/a")]}),
        (Hint(Kind.OVERRIDE, "one"), {names.resolver("one"): [Look(told=True)]}),
        (Hint(Kind.OVERRIDE, "nobody's"), {}),
        (Hint(Kind.WORK, "you"), {names.FANOUT: [Wake()], names.DISPATCHER: [Wake()]}),
        (Hint(Kind.WORK, "me"), {}),
        (Hint(Kind.CHECK, "you"), {}),
        (Hint(Kind.CALLER, "key"), {}),
        (Hint(Kind.ALL), EVERYBODY),
    ],
)
async def test_each_hint_reaches_who_has_to_know(
    said: Hint, expected: dict[str, list[Cast]], autojump_clock: object
) -> None:
    async with world() as here:
        await here.news()
        here.forgotten.clear()
        here.wire.say(*said)
        assert await here.news() == expected
        assert here.forgotten == {Kind.CALLER: ["key"], Kind.ALL: [None]}.get(said.kind, [])


async def test_what_was_missed_while_the_line_was_lost_is_looked_for(
    autojump_clock: object,
) -> None:
    with capture_logs() as logs:
        async with world() as here:
            await here.news()
            here.wire.away = True
            here.wire.lose()
            await trio.sleep(60)
            assert await here.news() == {}
            here.wire.away = False
            await trio.sleep(LONGEST)
            assert await here.news() == EVERYBODY
            gaps = [
                round(b - a, 3)
                for a, b in zip(here.wire.tries[1:], here.wire.tries[2:], strict=False)
            ]
            assert gaps == sorted(gaps), "the pause grows"
            assert max(gaps) <= LONGEST
            here.wire.lose()
            await trio.sleep(LONGEST)
            assert await here.news() == EVERYBODY
    said = [line["event"] for line in logs]
    assert said == ["hints_lost", "hints_again", "hints_lost", "hints_again"]


async def test_work_is_told_a_few_times_a_second_whatever_there_is(
    autojump_clock: object,
) -> None:
    async with world() as here:
        ref = Ref(here.registry, names.LISTENER)
        for _ in range(1000):
            ref.cast(Spread())
            await trio.sleep(0.001)
        await trio.sleep(1)
        spread = [at for at, hint in here.wire.told if hint == Hint(Kind.WORK, "me")]
        assert 5 <= len(spread) <= 12
        assert here.told[names.FANOUT] == [Wake()], "our own word is not news to us"


async def test_a_connection_that_hears_nothing_is_told_to_the_operator_once(
    autojump_clock: object,
) -> None:
    with capture_logs() as logs:
        async with world(deaf=True):
            await trio.sleep(DEAF * 4)
        async with world():
            await trio.sleep(DEAF * 4)
    (line,) = logs
    assert line["event"] == "hints_not_heard"
    assert "postgresql.listen_url" in line["detail"]

"""The desk: what is leased is handed over, or is to be given back; nothing is kept in between."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import trio
import trio.testing

from actors import Actor, Cast, Registry, actor_worker
from booper.clock import UuidIds
from booper.domain.delivery import Batch
from booper.domain.errors import Unsealable
from booper.settings import Delivery
from booper.store.outbox import Claimed, Held
from booper.workers import names
from booper.workers.desk import Desk
from booper.workers.messages import Send
from tests.booper.workers.effects import ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

NAME, NOW, LINE = "main", 1_800_000_000.0, 7


def claimed(number: int, device: bytes = b"token") -> Claimed:
    batch = Batch(number, "lease", 1, "n1", NAME, 1, "{}", NOW, NOW + 60, (), LINE)
    return Claimed(batch, [1], [device], [NOW])


class Tokens:
    """Device tokens that lie open, but for one that is odd and one that breaks everything."""

    async def open(self, sealed: Sequence[bytes]) -> list[str]:
        if sealed[0] == b"odd":
            raise Unsealable("Its key is missing.", code="sealed_elsewhere")
        if sealed[0] == b"worse":
            raise ZeroDivisionError
        return [raw.decode() for raw in sealed]


class Taker(Actor):
    """An instance that remembers what it was handed."""

    def __init__(self, told: list[Cast]) -> None:
        self.told = told

    async def handle_cast(self, message: Cast) -> None:
        self.told.append(message)


class Owner(Actor):
    """A dispatcher that only counts how often it is woken."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.woken = 0

    async def init(self) -> None:
        desk: Any = self.desk
        desk.open(self)

    def wake(self) -> None:
        self.woken += 1


class House:
    def __init__(self) -> None:
        self.registry = Registry()
        self.wanted: dict[str, Any] = {NAME: SimpleNamespace(sends=True)}
        given = ports(device_tokens=Tokens(), ids=UuidIds())
        directory: Any = self.wanted
        self.desk = Desk(given, directory, Delivery(batches_in_flight=4), "node")
        self.told: list[Cast] = []

    @property
    def numbers(self) -> list[int]:
        """The batches that the instance has."""
        return [message.batch.number for message in self.told if isinstance(message, Send)]


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    here = House()
    async with trio.open_nursery() as nursery:
        taker = actor_worker(partial(Taker, here.told), here.registry, names.instance(NAME))
        await nursery.start(taker)
        owner = actor_worker(partial(Owner, here.desk), here.registry, names.DISPATCHER)
        await nursery.start(owner)
        yield here
        nursery.cancel_scope.cancel()


async def test_what_is_delivered_is_in_its_instance_s_hand() -> None:
    async with house() as here:
        await here.desk.deliver([claimed(1), claimed(2)], NOW)
        await trio.testing.wait_all_tasks_blocked()
        assert here.numbers == [1, 2]
        assert here.desk.hands.leases(NOW - 1) == [Held(1, "lease"), Held(2, "lease")]
        assert here.desk.unsent == []


async def test_one_that_does_not_open_goes_back_and_holds_up_no_other() -> None:
    async with house() as here:
        await here.desk.deliver([claimed(1, b"odd"), claimed(2)], NOW)
        await trio.testing.wait_all_tasks_blocked()
        assert here.numbers == [2]
        assert here.desk.unsent == [Held(1, "lease")]
        assert here.desk.hands.leases(NOW - 1) == [Held(2, "lease")]


async def test_whatever_breaks_it_off_no_lease_is_kept() -> None:
    async with house() as here:
        with pytest.raises(ZeroDivisionError):
            await here.desk.deliver([claimed(1), claimed(2, b"worse"), claimed(3)], NOW)
        await trio.testing.wait_all_tasks_blocked()
        assert here.numbers == [1]
        assert here.desk.unsent == [Held(2, "lease"), Held(3, "lease")]
        assert here.desk.hands.leases(NOW - 1) == [Held(1, "lease")]


async def test_an_instance_that_is_not_there_is_no_reason_to_lose_it() -> None:
    async with house() as here:
        elsewhere = claimed(1)._replace(
            batch=msgspec.structs.replace(claimed(1).batch, instance="other")
        )
        await here.desk.deliver([elsewhere], NOW)
        assert here.desk.unsent == [Held(1, "lease")]


async def test_who_can_be_handed_something_at_once() -> None:
    async with house() as here:
        express = here.desk.express(NOW)
        assert express is not None
        assert (express.node, express.until) == ("node", NOW + 30.0)
        assert express.takes(NAME, LINE)
        assert not express.takes("other", LINE), "nobody of that name"
        here.wanted[NAME].sends = False
        assert not express.takes(NAME, LINE), "it is stopped"
        here.wanted[NAME].sends = True
        here.desk.hands[NAME].rests_until = trio.current_time() + 5
        assert not express.takes(NAME, LINE), "it rests"
        here.desk.hands[NAME].rests_until = 0.0
        here.desk.isolation.choose([NAME], {NAME}, trio.current_time())
        assert not express.takes(NAME, LINE), "a suspect is tried there, alone"


async def test_without_a_dispatcher_nothing_is_leased() -> None:
    async with house() as here:
        await here.desk.deliver([claimed(1)], NOW)
        here.desk.close()
        assert here.desk.express(NOW) is None
        assert here.desk.wants(NAME) is None

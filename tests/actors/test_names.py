"""Names: one owner each, free the moment it is dying, never leading to the dead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors import (
    Actor,
    ActorDown,
    AlreadyRegistered,
    Call,
    Cast,
    Ignore,
    NoActor,
    PendingReply,
    Reply,
    actor_worker,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.conftest import House


@dataclass(frozen=True)
class WhoAreYou(Call[int]):
    """The incarnation number."""


@dataclass(frozen=True)
class Die(Cast):
    pass


class Mortal(Actor):
    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        return self.mailbox.incarnation

    async def handle_cast(self, message: Cast) -> None:
        raise ValueError("mortal")

    async def terminate(self, reason: str) -> None:
        await trio.sleep(1)


async def test_b35_a_name_has_one_owner(house: House, autojump_clock: MockClock) -> None:
    mortal = await house.start(Mortal)
    with pytest.raises(AlreadyRegistered) as error:
        await house.start(Mortal)
    owner = await mortal.call(WhoAreYou())
    assert (error.value.name, error.value.owner) == ("one", owner)
    assert house.registry.names() == ("one",)
    assert house.registry.whereis("one") == owner


async def test_b35_a_ref_outlives_a_restart(house: House, autojump_clock: MockClock) -> None:
    mortal = await house.start(Mortal)
    first = await mortal.call(WhoAreYou())
    mortal.cast(Die())
    await house.gone()
    with pytest.raises(NoActor):
        await mortal.call(WhoAreYou())
    await house.start(Mortal)
    assert await mortal.call(WhoAreYou()) != first


@pytest.mark.parametrize("how", ["raise", "ignore", "timeout", "factory"])
async def test_b35_a_failed_start_frees_the_name_before_it_returns(
    how: str, house: House, autojump_clock: MockClock
) -> None:
    class Failing(Actor):
        def __init__(self) -> None:
            if how == "factory":
                raise LookupError

        async def init(self) -> None:
            if how == "timeout":
                await trio.sleep_forever()
            raise LookupError if how == "raise" else Ignore

    for _ in range(20):
        with pytest.raises(Exception, match=r"^$|did not start within"):
            await house.nursery.start(actor_worker(Failing, house.registry, "one"))
        assert house.registry.whereis("one") is None
    await house.start(Mortal)


async def test_b35_a_crash_frees_the_name_before_anyone_is_told(
    house: House, autojump_clock: MockClock
) -> None:
    """Also before the clean-up, which may take its time."""
    mortal = await house.start(Mortal)
    mortal.cast(Die())
    with pytest.raises(ActorDown):
        await mortal.call(WhoAreYou())
    assert house.registry.names() == ()
    assert "one" not in house.ended


async def test_b35_the_end_of_the_old_leaves_the_name_to_the_new(
    house: House, autojump_clock: MockClock
) -> None:
    mortal = await house.start(Mortal)
    mortal.cast(Die())
    with pytest.raises(ActorDown):
        await mortal.call(WhoAreYou())
    await house.start(Mortal)
    second = await mortal.call(WhoAreYou())
    await trio.sleep(2)  # the first one's clean-up is over
    assert house.registry.whereis("one") == second
    assert await mortal.call(WhoAreYou()) == second


async def test_b35_a_race_for_a_freed_name_has_one_winner(
    house: House, autojump_clock: MockClock
) -> None:
    mortal = await house.start(Mortal)
    results: list[str] = []

    async def contend(pending: PendingReply[int]) -> None:
        with pytest.raises(ActorDown):
            await pending.wait()
        try:
            await house.nursery.start(actor_worker(Mortal, house.registry, "one"))
        except AlreadyRegistered:
            results.append("lost")
        else:
            results.append("won")

    mortal.cast(Die())
    async with trio.open_nursery() as nursery:
        for pending in [mortal.request(WhoAreYou()) for _ in range(10)]:
            nursery.start_soon(contend, pending)
    assert sorted(results) == ["lost"] * 9 + ["won"]
    assert await mortal.call(WhoAreYou()) == house.registry.whereis("one")


async def test_b35_a_stopping_actor_keeps_its_name_until_it_is_gone(
    house: House, autojump_clock: MockClock
) -> None:
    """So that its successor never runs beside it."""
    await house.start(Mortal)
    house.stops["one"]()
    await trio.sleep(0.5)
    with pytest.raises(AlreadyRegistered):
        await house.start(Mortal)
    house.stops["one"]()

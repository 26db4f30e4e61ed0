"""A crash of one instance is its own: its neighbours' tasks, mailboxes and connections stay."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.clock import SystemDice
from booper.providers.provider import StampCodec
from booper.transport import Network, Pool
from booper.workers import names
from tests.booper.journeys.house import Journey, device_token, journey

if TYPE_CHECKING:
    from pathlib import Path

    from booper.domain.content import Content
    from booper.domain.outcome import Outcome
    from booper.providers.provider import AccessToken, Codec, Compiled, Occasion
    from booper.wire import Answer, Endpoint

pytestmark = pytest.mark.real


class Fragile:
    """A codec with a bug: it raises the first time it meets the title "boom"."""

    def __init__(self, codec: Codec) -> None:
        assert isinstance(codec, StampCodec)
        self._codec = codec
        self.endpoint = codec.endpoint
        self.crashes = 1

    def mint(self, now: float) -> AccessToken:
        return self._codec.mint(now)

    def compile(
        self, content: Content, occasion: Occasion, access: AccessToken
    ) -> Compiled | Outcome:
        if content.title == "boom" and self.crashes:
            self.crashes -= 1
            raise ZeroDivisionError("a bug in a codec")
        return self._codec.compile(content, occasion, access)

    def renewable(self, refusal: Outcome, age: float) -> bool:
        return self._codec.renewable(refusal, age)

    def read(self, answer: Answer) -> Outcome:
        return self._codec.read(answer)


class Watching(Network):
    """Remembers the pools it made, in order."""

    def __init__(self) -> None:
        super().__init__(SystemDice())
        self.pools: list[Pool] = []

    def pool(self, endpoint: Endpoint) -> Pool:
        self.pools.append(super().pool(endpoint))
        return self.pools[-1]


def _lines(pool: Pool) -> tuple[int, int]:
    """How many connections a pool has opened and closed so far."""
    figures = pool.statistics()
    return figures.opened, figures.closed


async def test_an_instance_crashes_alone_and_loses_nothing(tmp_path: Path) -> None:
    transport = Watching()
    async with journey(
        tmp_path,
        instances=("a", "b", "c"),
        defaults={"apns": "a"},
        wrap=lambda name, codec: Fragile(codec) if name == "a" else codec,
        transport=transport,
    ) as house:
        for name in ("a", "b", "c"):
            await house.register(3, channel=name, instance=name)
            assert (await house.done(await house.notify(name)))["counts"]["accepted"] == 3
        actors = house.booper.registry.mailboxes
        before = {n: actors[names.instance(n)] for n in ("a", "b", "c")}
        tasks = {n: mailbox.task for n, mailbox in before.items()}
        pools = list(transport.pools)
        lines = {pool: _lines(pool) for pool in pools}
        assert {opened for opened, closed in lines.values()} == {1}

        own = await house.notify("a", title="boom")
        assert (await house.done(own))["counts"]["accepted"] == 3

        for name in ("b", "c"):
            assert actors[names.instance(name)] is before[name]
            assert actors[names.instance(name)].task is tasks[name]
            assert (await house.done(await house.notify(name)))["counts"]["accepted"] == 3
        assert actors[names.instance("a")] is not before["a"]
        assert len(transport.pools) == 4, "only the crashed one made itself a new pool"
        kept = [pool for pool in pools if _lines(pool) == lines[pool]]
        assert len(kept) >= 2, "the neighbours opened none and closed none"

        tree = await house.tree()
        assert tree["worker:instance/a"]["restarts"] == 1
        assert "ZeroDivisionError" in tree["worker:instance/a"]["last_exit"]
        for name in ("b", "c"):
            assert tree[f"worker:instance/{name}"]["restarts"] == 0
        assert tree["supervisor:delivery"]["restarts"] == 0
        assert house.apple.ledger.summary().duplicates == 0


async def test_an_instance_that_gives_up_is_started_again_by_the_keeper(tmp_path: Path) -> None:
    """Two notifications kill it three times each, and it gives up; they are parked, the third goes
    out, and those two as well when an operator releases them."""

    def fragile(_: str, codec: Codec) -> Codec:
        made = Fragile(codec)
        made.crashes = 6  # one more than its restart budget
        return made

    async with journey(tmp_path, wrap=fragile) as house:
        await house.register(1)
        poison = [await house.notify(title="boom") for _ in range(2)]
        with trio.fail_after(60):
            while len(parked := await parked_of(house)) < 2:
                await trio.sleep(0.05)
        assert {one["notification_id"] for one in parked} == set(poison)
        assert {(one["deaths"], one["devices"]) for one in parked} == {(3, 1)}
        assert all("ZeroDivisionError" in one["death"] for one in parked)
        assert (await house.progress(poison[0]))["pending"] == 1
        shown = await house.done(await house.notify(title="boom"), patience=60)
        assert shown["counts"]["accepted"] == 1
        for body in ({"batches": [parked[0]["batch"]]}, {"notification_id": poison[1]}):
            answer = await house.client.post("/api/admin/batches/parked/release", json=body)
            assert answer.json() == {"batches": 1}
        for own in poison:
            assert (await house.done(own))["counts"]["accepted"] == 1
        assert {entry.device for entry in house.apple.ledger} == {device_token(0)}
        tree = await house.tree()
        assert tree["supervisor:instances"]["restarts"] == 0, "its neighbours saw nothing of it"


async def parked_of(house: Journey) -> list[dict[str, Any]]:
    answer = await house.client.get("/api/admin/batches/parked")
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def test_what_died_with_a_poisonous_batch_goes_out(tmp_path: Path) -> None:
    """Eight in hand, one of them deadly: seven arrive, one is parked, and what comes after them
    is not held up."""

    def deadly(_: str, codec: Codec) -> Codec:
        made = Fragile(codec)
        made.crashes = 1000
        return made

    async with journey(tmp_path, wrap=deadly) as house:
        await house.register(1)
        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(partial(house.notify, title="boom" if number == 3 else "Hello"))
        shown = await house.done(await house.notify(title="Hello"), patience=60)
        assert shown["counts"]["accepted"] == 1
        with trio.fail_after(60):
            while len(parked := await parked_of(house)) < 1 or len(house.apple.ledger) < 8:
                await trio.sleep(0.05)
        own = parked[0]["notification_id"]
        answer = await house.client.post(
            "/api/admin/batches/parked/fail", json={"batches": [parked[0]["batch"], 99]}
        )
        assert answer.json() == {"batches": 1}
        shown = await house.done(own)
        assert (shown["state"], shown["counts"]["failed"]) == ("failed", 1)
        (delivery,) = (await house.client.get(f"/api/notifications/{own}/deliveries")).json()[
            "data"
        ]
        assert delivery["reason"].startswith("parked after 3 deaths")
        assert await parked_of(house) == []

"""A crash of one instance is its own: its neighbours' tasks, mailboxes and connections stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.clock import SystemDice
from booper.transport import Http2Transport, Pool
from booper.workers import names
from tests.booper.journeys.house import device_token, journey

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


class Watching(Http2Transport):
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
    def fragile(_: str, codec: Codec) -> Codec:
        made = Fragile(codec)
        made.crashes = 6  # one more than its restart budget
        return made

    async with journey(tmp_path, wrap=fragile) as house:
        await house.register(1)
        own = await house.notify(title="boom")
        with trio.fail_after(60):
            shown = await house.done(own, patience=60)
        assert shown["counts"]["accepted"] == 1
        assert {entry.device for entry in house.apple.ledger} == {device_token(0)}
        tree = await house.tree()
        assert tree["supervisor:instances"]["restarts"] == 0, "its neighbours saw nothing of it"

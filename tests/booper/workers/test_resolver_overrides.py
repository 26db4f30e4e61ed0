"""An operator's override: it overrides at once, survives, and can be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from actors import Registry
from booper.domain.access import Source
from booper.domain.errors import Invalid, NotFound, Unavailable
from booper.domain.secret import Secret
from booper.ports.access import Host, Ran
from booper.store import access as rows
from booper.workers.resolvers import Resolvers
from tests.booper.workers.stage import recipe, stage, text

if TYPE_CHECKING:
    from pathlib import Path

MINE = Secret("mine")


async def test_w7_an_override_overrides_at_once_and_after_a_restart(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        assert await play.text(recipe()) == "fresh-1"
        await play.resolvers.set_manual(recipe(), MINE)
        assert await play.text(recipe()) == "mine"
        assert (await play.resolvers.inspect(recipe())).overridden
        await play.restart(recipe())
        found = await play.resolvers.acquire(recipe())
        assert (text(found), found.source) == ("mine", Source.MANUAL)
        # It is kept in memory too: no source is asked again and again.
        assert (await play.resolvers.acquire(recipe())).source is Source.MEMORY
        # By-hand refresh asks for another copy, and the override is still what counts.
        assert text(await play.resolvers.refresh(recipe())) == "mine"
        assert len(play.commands.runs) == 1


async def test_w7_it_can_be_taken_back(tmp_path: Path, autojump_clock: object) -> None:
    async with stage(tmp_path) as play:
        await play.resolvers.set_manual(recipe(), MINE)
        assert await play.resolvers.clear_manual(recipe())
        assert await play.text(recipe()) == "fresh-1"
        assert not await play.resolvers.clear_manual(recipe())
        await play.restart(recipe())
        assert await play.text(recipe()) == "fresh-1"


async def test_it_needs_no_other_source(tmp_path: Path, autojump_clock: object) -> None:
    async with stage(tmp_path) as play:
        alone = recipe(sources=(Source.MANUAL,))
        found = await play.resolvers.acquire(alone)
        assert (found.access, found.source, found.why) == (None, Source.NONE, "nobody has one")
        await play.resolvers.set_manual(alone, MINE)
        assert await play.text(alone) == "mine"


async def test_the_order_of_the_sources_is_the_recipe_s(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        last = recipe(sources=(Source.COMMAND, Source.MANUAL))
        await play.resolvers.set_manual(last, MINE)
        assert await play.text(last) == "mine", "set is set"
        await play.resolvers.invalidate(last)
        assert await play.text(last) == "fresh-1"
        play.commands.says = lambda n: Ran(1, b"")
        await play.resolvers.invalidate(last)
        found = await play.resolvers.acquire(last)
        assert (text(found), found.source) == ("mine", Source.MANUAL)


async def test_a_storage_failure_is_surfaced_and_nothing_changes(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        assert await play.text(recipe()) == "fresh-1"
        play.store.away = True
        with pytest.raises(Unavailable) as refused:
            await play.resolvers.set_manual(recipe(), MINE)
        assert refused.value.code == "override_not_stored"
        assert await play.text(recipe()) == "fresh-1"
        play.store.away = False
        await play.resolvers.set_manual(recipe(), MINE)
        play.store.away = True
        with pytest.raises(Unavailable):
            await play.resolvers.clear_manual(recipe())
        assert await play.text(recipe()) == "mine"


async def test_the_last_of_many_wins_in_memory_and_in_the_store(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        play.store.slow = 0.1
        await play.text(recipe())
        async with trio.open_nursery() as nursery:
            for number in range(30):
                nursery.start_soon(play.resolvers.set_manual, recipe(), Secret(f"mine-{number}"))
                await trio.sleep(0.001)
        assert await play.text(recipe()) == "mine-29"
        await play.restart(recipe())
        assert await play.text(recipe()) == "mine-29"


async def test_an_override_that_ends_gives_way(tmp_path: Path, autojump_clock: object) -> None:
    async with stage(tmp_path) as play:
        short = recipe(idle=86_400.0)
        await play.resolvers.set_manual(short, MINE, play.clock.wall() + 3600)
        await trio.sleep(3500)
        assert await play.text(short) == "mine"
        await trio.sleep(100)
        assert await play.text(short) == "fresh-1"
        for _ in range(10):
            await trio.sleep(30)
            assert (await play.resolvers.acquire(short)).source is Source.MEMORY
        assert len(play.commands.runs) == 1, "an ended override in the store disturbs nobody"


async def test_a_rejected_override_gives_way_until_somebody_insists(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        await play.resolvers.set_manual(recipe(), MINE)
        assert text(await play.resolvers.refresh(recipe(), MINE)) == "fresh-1"
        await trio.sleep(100.0)
        assert await play.text(recipe()) == "fresh-1"
        await play.resolvers.set_manual(recipe(), MINE)
        assert await play.text(recipe()) == "mine"


async def test_another_node_s_override_is_seen(tmp_path: Path, autojump_clock: object) -> None:
    async with stage(tmp_path) as play:
        await play.text(recipe())
        whose, seal = rows.Whose("", "shop"), play.ports.seal
        access = (await play.resolvers.acquire(recipe())).access
        assert access is not None
        theirs = type(access)(Secret("theirs"), access.minted_at, access.renew_at)
        await play.store.write(rows.save, seal, whose, rows.MANUAL, theirs, play.clock.wall())
        await trio.sleep(31.0)
        assert await play.text(recipe()) == "theirs"
        await play.store.write(rows.drop, seal, whose, rows.MANUAL)
        await trio.sleep(31.0)
        assert await play.text(recipe()) != "theirs"


async def test_a_recipe_without_overrides_takes_none(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        with pytest.raises(Invalid):
            await play.resolvers.set_manual(recipe(sources=(Source.COMMAND,)), MINE)
        with pytest.raises(NotFound):
            play.resolvers.named("no-such")


async def test_without_its_supervisor_the_answer_is_an_answer(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        lost = Resolvers(Registry(), play.ports, Host(play.commands, play.files))
        found = await lost.acquire(recipe())
        assert (found.access, found.why) == (None, "Its token resolver does not answer.")
        with pytest.raises(Unavailable):
            await lost.set_manual(recipe(), MINE)


async def test_w8_what_is_no_token_changes_nothing(tmp_path: Path, autojump_clock: object) -> None:
    async with stage(tmp_path) as play:
        await play.text(recipe())
        over = play.clock.wall() - 1
        for bad, until in ((" ", None), ("hush\nhush", None), ("hush", over)):
            with pytest.raises(Invalid) as refused:
                await play.resolvers.set_manual(recipe(), Secret(bad), until)
            assert refused.value.code == "invalid_access_token"
            assert "hush" not in refused.value.detail
        assert await play.text(recipe()) == "fresh-1"

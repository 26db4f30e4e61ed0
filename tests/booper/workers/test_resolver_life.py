"""A token's life: its end, its renewal before it, restarts, idleness; all in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from actors import Ref
from booper.domain.access import Source
from booper.ports import Sql
from booper.ports.access import Ran
from booper.workers import names
from tests.booper.workers.stage import recipe, stage, text

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400.0
ALIVE = recipe(idle=10 * DAY)  # used or not, it is renewed


async def test_w2_it_is_renewed_before_its_end_and_nobody_waits_for_it(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        play.commands.takes = 10.0
        assert await play.text(ALIVE) == "fresh-1"
        seen = []
        for _ in range(int(DAY / 60)):  # a caller each minute of that day
            began = trio.current_time()
            seen.append(await play.text(ALIVE))
            assert trio.current_time() - began < 0.1, "no caller ever waits"
            await trio.sleep(60.0)
        assert seen == sorted(seen)
        assert set(seen) == {"fresh-1", "fresh-2"}
        assert len(play.commands.runs) == 2
        # Again the day after: every renewal arms the next.
        await trio.sleep(DAY)
        assert await play.text(ALIVE) == "fresh-3"


async def test_w2_the_stored_copy_is_no_renewal(tmp_path: Path, autojump_clock: object) -> None:
    async with stage(tmp_path) as play:
        await play.text(ALIVE)
        await play.restart(ALIVE)
        assert (await play.resolvers.acquire(ALIVE)).source is Source.STORE
        await trio.sleep(DAY - 1800)
        assert await play.text(ALIVE) == "fresh-2"


async def test_w2_a_renewal_that_fails_keeps_the_old_one_and_is_tried_again(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        play.commands.says = lambda n: Ran(0, b"good") if n in (1, 5) else Ran(1, b"")
        await play.text(ALIVE)
        await trio.sleep(DAY - 3700)
        found = await play.resolvers.acquire(ALIVE)
        assert len(play.commands.runs) == 4
        assert (text(found), found.source) == ("good", Source.MEMORY)
        shown = await play.resolvers.inspect(ALIVE)
        assert (shown.state, shown.failures > 0) == ("good", True)
        assert "status 1" in shown.last_error
        await trio.sleep(1800)
        assert len(play.commands.runs) == 5
        shown = await play.resolvers.inspect(ALIVE)
        assert (shown.state, shown.failures, shown.last_error) == ("good", 0, "")


async def test_lead_zero_means_no_renewal(tmp_path: Path, autojump_clock: object) -> None:
    async with stage(tmp_path) as play:
        lazy = recipe(lead=0.0, idle=10 * DAY)
        await play.text(lazy)
        assert (await play.resolvers.inspect(lazy)).renew_at is None
        await trio.sleep(DAY - 60)
        assert await play.text(lazy) == "fresh-1"
        await trio.sleep(120)
        assert await play.text(lazy) == "fresh-2"
        assert len(play.commands.runs) == 2


async def test_a_token_that_nobody_used_is_not_renewed(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        quiet = recipe(idle=3600.0, ttl=7200.0)
        await play.text(quiet)
        await trio.sleep(DAY)
        assert len(play.commands.runs) == 1


async def test_w12_who_is_not_asked_any_more_goes_and_comes_back(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        await play.text(recipe())
        ref = Ref(play.registry, names.resolver("shop"))
        for _ in range(5):
            await trio.sleep(3000)
            await play.text(recipe())  # read from memory: it counts as being asked
            assert ref.statistics() is not None
        for _ in range(100):
            await trio.sleep(60)
            await play.resolvers.inspect(recipe())  # this does not
        assert ref.statistics() is None
        assert (await play.resolvers.inspect(recipe())).state == "idle"
        found = await play.resolvers.acquire(recipe())
        assert (text(found), found.source) == ("fresh-1", Source.STORE)


async def test_w13_a_wall_clock_that_jumps_changes_no_lifetime(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        lazy = recipe(lead=0.0, ttl=7200.0, idle=10 * DAY)
        await play.text(lazy)
        for jump in (7300.0, -50_000.0):
            play.clock.ahead += jump
            assert (await play.resolvers.acquire(lazy)).source is Source.MEMORY
        await trio.sleep(7200.0)
        assert await play.text(lazy) == "fresh-2"


async def test_what_the_process_leaves_behind_comes_back_with_its_own_end(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        await play.text(recipe(lead=0.0))
        await trio.sleep(DAY - 600)
        await play.restart(recipe())
        assert (await play.resolvers.acquire(recipe(lead=0.0))).source is Source.STORE
        await trio.sleep(600)
        assert await play.text(recipe(lead=0.0)) == "fresh-2"


async def test_w4_a_store_that_is_away_costs_a_search_and_no_more(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        play.store.away = True
        found = await play.resolvers.acquire(recipe())
        assert (text(found), found.source) == ("fresh-1", Source.COMMAND)
        await trio.sleep(100.0)  # also the looks at the override
        assert (await play.resolvers.acquire(recipe())).source is Source.MEMORY
        play.store.away, play.store.slow = False, 60.0
        hung = await play.resolvers.acquire(recipe("other"))
        assert (text(hung), hung.source) == ("fresh-2", Source.COMMAND)


async def test_w4_a_row_that_does_not_open_costs_a_search_and_no_more(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        await play.text(recipe())
        await trio.sleep(0.1)
        spoil = Sql("UPDATE access_tokens SET sealed = 'junk'")
        await play.store.write(lambda tx: tx.execute(spoil))
        await play.restart(recipe())
        found = await play.resolvers.acquire(recipe())
        assert (text(found), found.source) == ("fresh-2", Source.COMMAND)
        await play.restart(recipe())
        assert (await play.resolvers.acquire(recipe())).source is Source.STORE

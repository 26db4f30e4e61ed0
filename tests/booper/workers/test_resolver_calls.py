"""B45: one search for all who wait; nobody waits for another app; refresh is atomic."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

from actors import Ref
from booper.domain.access import AccessToken, Source
from booper.domain.secret import Secret
from booper.ports.access import Ran
from booper.store import access as rows
from booper.workers import names
from tests.booper.workers.stage import recipe, stage, text, together

if TYPE_CHECKING:
    from pathlib import Path


async def test_b45_a_hundred_acquires_make_one_upstream_call(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        found = await together(100, lambda: play.resolvers.acquire(recipe()))
        assert {text(one) for one in found} == {"fresh-1"}
        assert {one.source for one in found} == {Source.COMMAND}
        assert len(play.commands.runs) == 1
        again = await play.resolvers.acquire(recipe())
        assert (text(again), again.source) == ("fresh-1", Source.MEMORY)


async def test_b45_two_apps_never_wait_for_each_other(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        play.commands.takes = 10.0
        play.files.there["quick"] = b"access_token: at-once"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(play.resolvers.acquire, recipe("slow"))
            await trio.sleep(1.0)
            began = trio.current_time()
            assert await play.text(recipe("quick", file="quick")) == "at-once"
            assert trio.current_time() - began < 0.1
            nursery.cancel_scope.cancel()


async def test_b45_a_waiter_that_leaves_takes_nothing_along(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        for _ in range(5):  # also the one that started the search
            with trio.move_on_after(0.1):
                await play.resolvers.acquire(recipe())
        assert await play.text(recipe()) == "fresh-1"
        assert len(play.commands.runs) == 1


async def test_b45_after_refresh_returned_nobody_is_given_the_old_one(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        assert await play.text(recipe()) == "fresh-1"
        seen: list[tuple[float, str]] = []

        async def watch() -> None:
            while True:
                asked = trio.current_time()
                seen.append((asked, await play.text(recipe())))
                await trio.sleep(0.01)

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(watch)
            await trio.sleep(0.505)
            begun = trio.current_time()
            assert text(await play.resolvers.refresh(recipe())) == "fresh-2"
            await trio.sleep(0.5)
            nursery.cancel_scope.cancel()
        assert {one for asked, one in seen if asked < begun} == {"fresh-1"}
        assert {one for asked, one in seen if asked > begun} == {"fresh-2"}
        assert len(play.commands.runs) == 2


async def test_a_hundred_refreshes_after_one_401_make_one_upstream_call(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        old = (await play.resolvers.acquire(recipe())).access
        assert old is not None
        found = await together(100, lambda: play.resolvers.refresh(recipe(), old.text))
        assert {text(one) for one in found} == {"fresh-2"}
        # A straggler of the same 401 finds the work done.
        assert text(await play.resolvers.refresh(recipe(), old.text)) == "fresh-2"
        assert len(play.commands.runs) == 2


async def test_w1_a_rejected_token_s_stored_copy_is_not_given_again(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        old = (await play.resolvers.acquire(recipe())).access
        assert old is not None
        await play.restart(recipe())
        stored = await play.resolvers.acquire(recipe())
        assert (text(stored), stored.source) == ("fresh-1", Source.STORE)
        refreshed = await play.resolvers.refresh(recipe(), old.text)
        assert (text(refreshed), refreshed.source) == ("fresh-2", Source.COMMAND)
        await play.restart(recipe())
        assert await play.text(recipe()) == "fresh-2"


async def test_w1_nor_while_the_store_cannot_forget_it(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        old = (await play.resolvers.acquire(recipe())).access
        assert old is not None
        play.store.away = True
        await play.resolvers.invalidate(recipe(), old.text)
        await trio.sleep(1.0)
        play.store.away = False
        assert await play.text(recipe()) == "fresh-2"
        # And by hand, without naming it:
        play.store.away = True
        await play.resolvers.invalidate(recipe())
        await trio.sleep(1.0)
        play.store.away = False
        assert await play.text(recipe()) == "fresh-3"


async def test_w1_a_search_under_way_does_not_bring_the_old_one_back(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        await play.resolvers.acquire(recipe())
        await play.restart(recipe())
        play.store.slow = 1.0
        answers: list[str] = []

        async def acquire() -> None:
            answers.append(await play.text(recipe()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(acquire)
            await trio.sleep(1.5)  # it found no override and is reading the stored copy now
            assert text(await play.resolvers.refresh(recipe())) == "fresh-2"
        assert answers == ["fresh-2"]


async def test_w1_another_node_s_newer_token_is_taken_instead_of_a_third(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        old = (await play.resolvers.acquire(recipe())).access
        assert old is not None
        await trio.sleep(1.0)
        wall = play.clock.wall()
        theirs = AccessToken(Secret("theirs"), wall, math.inf, wall + 3600)
        whose = rows.Whose("", "shop")
        await play.store.write(rows.save, play.ports.seal, whose, rows.CACHED, theirs, wall)
        found = await play.resolvers.refresh(recipe(), old.text)
        assert (text(found), found.source) == ("theirs", Source.STORE)
        assert len(play.commands.runs) == 1


async def test_w5_the_slow_source_never_blocks_the_cheap_verbs(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        play.commands.takes = 14.0
        waiting: list[str] = []

        async def acquire() -> None:
            waiting.append(await play.text(recipe()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(acquire)
            await trio.sleep(1.0)
            began = trio.current_time()
            await play.resolvers.invalidate(recipe())
            assert (await play.resolvers.inspect(recipe())).state == "asking"
            await play.resolvers.set_manual(recipe(), Secret("by-hand"))
        assert waiting == ["by-hand"], "who waited is served by it too"
        assert trio.current_time() - began < 0.1
        await trio.sleep(0.01)
        assert play.commands.running == 0, "nobody wants the search any more"


async def test_w5_a_failure_is_the_answer_for_a_while(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        play.commands.says = lambda n: Ran(1, b"")
        found = await together(50, lambda: play.resolvers.acquire(recipe()))
        found += await together(50, lambda: play.resolvers.acquire(recipe()))
        assert {one.access for one in found} == {None}
        assert {one.source for one in found} == {Source.NONE}
        assert all("command: it ended with status 1" in one.why for one in found)
        assert len(play.commands.runs) == 1
        await trio.sleep(10.0)
        await play.resolvers.acquire(recipe())
        assert len(play.commands.runs) == 2
        # By hand one may insist.
        await play.resolvers.refresh(recipe())
        assert len(play.commands.runs) == 3


async def test_w6_who_asks_waits_as_long_as_the_sources_may_take(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        play.commands.takes = 250.0
        patient = recipe(timeout=300.0)
        assert patient.patience > 300.0
        assert await play.text(patient) == "fresh-1"
        hasty = recipe("hasty", timeout=2.0)
        began = trio.current_time()
        assert "it took more than 2 seconds" in (await play.resolvers.acquire(hasty)).why
        assert trio.current_time() - began < 3.0


async def test_w3_a_crash_of_one_leaves_every_other_s_cache_alone(
    tmp_path: Path, autojump_clock: object
) -> None:
    def broken(n: int) -> Ran:
        if n != 1:
            raise RuntimeError("a bug in a source")
        return Ran(0, b"good")

    async with stage(tmp_path) as play:
        play.commands.says = broken
        assert await play.text(recipe("healthy")) == "good"
        healthy = Ref(play.registry, names.resolver("healthy")).monitor()
        for _ in range(30):  # more than any restart budget
            found = await play.resolvers.acquire(recipe("broken"))
            assert "does not answer" in found.why
        assert (await play.resolvers.acquire(recipe("healthy"))).source is Source.MEMORY
        assert healthy.down is None
        play.commands.says = lambda n: Ran(0, b"mended")
        assert await play.text(recipe("broken")) == "mended"


async def test_two_tenants_share_nothing_but_a_name(tmp_path: Path, autojump_clock: object) -> None:
    async with stage(tmp_path) as play:
        mine, theirs = recipe(tenant="a"), recipe(tenant="b")
        assert await play.text(mine) == "fresh-1"
        assert await play.text(theirs) == "fresh-2"
        await play.resolvers.set_manual(mine, Secret("mine"))
        assert await play.text(theirs) == "fresh-2"
        await play.resolvers.invalidate(mine)
        assert await play.text(theirs) == "fresh-2"
        await play.restart(theirs)
        found = await play.resolvers.acquire(theirs)
        assert (text(found), found.source) == ("fresh-2", Source.STORE)

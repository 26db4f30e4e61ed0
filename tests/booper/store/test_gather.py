"""Items that wait for the same commit go through a work that takes many in one call of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import outcome
import pytest
import trio
import trio.testing

from booper.domain.errors import Unavailable
from booper.ports import Sql
from booper.precedence import PATIENCE, precedence
from booper.store.group_commit import GroupCommit
from tests.booper.store.seeds import rows, run_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Database, Tx
    from booper.store.group_commit import Work
    from booper.store.sqlite_driver import SqliteDatabase

_PUT = Sql("INSERT INTO channels (id, name, created_at) VALUES (?, ?, 1.0)")
NAMED = ("heavy", "light")
NAMES = "SELECT name FROM channels ORDER BY name"


class Slow(GroupCommit):
    """Commits when it is `let`."""

    most = 60
    pause = 0.02

    def __init__(self) -> None:
        super().__init__()
        self.under_way: list[list[str]] = []
        self.let = trio.Event()

    async def commit(self, works: Sequence[Work]) -> list[outcome.Outcome[Any]]:
        self.under_way.append([work.args[0] for work in works])
        await self.let.wait()
        return [outcome.Value(None) for _ in works]


async def settled(database: Slow) -> None:
    """What waits has gathered and is under way, as far as there are writers for it."""
    await trio.sleep(2 * database.pause)
    await trio.testing.wait_all_tasks_blocked()


async def nothing(tx: Tx, name: str) -> None:
    """A work that is only committed."""


async def put(tx: Tx, calls: list[list[str]], names: list[str]) -> list[str]:
    """Write each; "bad" spoils all that are in the same call."""
    calls.append(names)
    await tx.execute_many(_PUT, [(name, name) for name in names])
    if "away" in names:
        raise Unavailable("away", code="store_unavailable")
    if "bad" in names:
        raise ValueError("bad")
    return [name.upper() for name in names]


async def at_once(database: Database, calls: list[list[str]], *names: str) -> dict[str, Any]:
    """What each gets that asks at the same time."""
    found: dict[str, Any] = {}

    async def one(name: str) -> None:
        found[name] = await outcome.acapture(database.gather, put, calls, name)

    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(one, name)
    return found


async def test_each_gets_its_own_answer_out_of_few_calls(database: Database) -> None:
    calls: list[list[str]] = []
    names = [f"n{number:03}" for number in range(300)]
    found = await at_once(database, calls, *names)
    assert {name: one.unwrap() for name, one in found.items()} == {n: n.upper() for n in names}
    assert sorted(name for call in calls for name in call) == names
    assert len(calls) <= 10
    assert await rows(database, NAMES) == [(name,) for name in names]


async def test_one_that_fails_harms_no_other(database: Database) -> None:
    found = await at_once(database, [], "a", "bad", "b", "c")
    assert {name for name, one in found.items() if isinstance(one, outcome.Error)} == {"bad"}
    assert isinstance(found["bad"].error, ValueError)
    assert await rows(database, NAMES) == [("a",), ("b",), ("c",)]


async def test_an_outage_is_told_to_everybody(database: Database) -> None:
    names = ["a", "away", *(f"n{number}" for number in range(20))]
    found = await at_once(database, [], *names)
    told = {name for name, one in found.items() if isinstance(one, outcome.Error)}
    assert len(told) > 1, "they did not go together"
    assert {type(found[name].error) for name in told} == {Unavailable}
    assert await rows(database, NAMES) == [(name,) for name in sorted(found.keys() - told)]


async def test_what_is_shared_is_not_mixed_up(database: Database) -> None:
    one: list[list[str]] = []
    two: list[list[str]] = []
    async with trio.open_nursery() as nursery:
        for name in ("a", "b"):
            nursery.start_soon(database.gather, put, one, name)
            nursery.start_soon(database.gather, put, two, name.upper())
    assert {name for call in one for name in call} == {"a", "b"}
    assert {name for call in two for name in call} == {"A", "B"}


async def test_others_in_the_same_commit_go_on_alone(database: Database) -> None:
    async def alone(tx: Tx) -> int:
        return await tx.execute(_PUT, "alone", "alone")

    counted: list[int] = []

    async def write() -> None:
        counted.append(await database.write(alone))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(at_once, database, [], "a", "bad")
        nursery.start_soon(write)
    assert counted == [1]
    assert await rows(database, NAMES) == [("a",), ("alone",)]


async def test_one_list_is_written_at_a_time(database: Database) -> None:
    """Also where several groups are: whoever comes meanwhile goes together in the next."""
    inside, most, sizes = 0, 0, list[int]()

    async def watched(tx: Tx, _: None, names: list[str]) -> list[str]:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        sizes.append(len(names))
        await tx.execute_many(_PUT, [(name, name) for name in names])
        inside -= 1
        return names

    async def late(number: int) -> None:
        for _ in range(number):
            await trio.lowlevel.checkpoint()
        assert await database.gather(watched, None, f"n{number}") == f"n{number}"

    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(late, number)
    assert most == 1
    assert sum(sizes) == 100
    assert len(await rows(database, NAMES)) == 100


async def test_what_is_light_is_committed_by_itself_and_then_it_is_the_heavy_ones_turn(
    sqlite: SqliteDatabase,
) -> None:
    """Whoever commits it writes nothing heavy; but what is light does not starve what is heavy."""
    done: list[str] = []

    async def write(name: str, weight: int) -> None:
        await sqlite.write(partial(run_sql, sql="SELECT 1"), weight=weight)
        done.append(f"{name} {sqlite.commits}")

    begun = sqlite.commits
    async with trio.open_nursery() as nursery:
        nursery.start_soon(write, "first", 1)
        await trio.testing.wait_all_tasks_blocked()
        for name, weight in (("heavy", 50), ("light", 1), ("heavy", 50), ("light", 1)):
            nursery.start_soon(write, name, weight)
    places = {name: {int(one.split()[1]) - begun for one in done if name in one} for name in NAMED}
    assert max(places["light"]) < min(places["heavy"])
    assert max(places["heavy"]) <= 3


async def test_the_last_of_several_writers_takes_nothing_heavy() -> None:
    """However much is heavy, what is light finds a writer, and all comes to its end."""
    database = Slow()
    ended: list[str] = []

    async def write(name: str, weight: int) -> None:
        await database.write(nothing, name, weight=weight)
        ended.append(name)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(database.run)
        await trio.testing.wait_all_tasks_blocked()
        for number in range(6):
            nursery.start_soon(write, f"heavy{number}", 50)
        await settled(database)
        before = [len(works) for works in database.under_way]
        nursery.start_soon(write, "light", 1)
        await settled(database)
        after = database.under_way[len(before) :]
        database.close()
        database.let.set()
    assert before == [1, 1], "one writer is free"
    assert after == [["light"]]
    assert sorted(ended) == [*(f"heavy{number}" for number in range(6)), "light"]


async def test_what_is_heavy_gathers_for_a_moment_and_what_is_light_ends_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    database = Slow()
    database.let.set()

    async def write(name: str, weight: int) -> float:
        begun = trio.current_time()
        await database.write(nothing, name, weight=weight)
        return trio.current_time() - begun

    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(write, "one", 20)
        await trio.sleep(database.pause / 2)
        assert await write("two", 20) == pytest.approx(database.pause / 2)
        assert database.under_way == [["one", "two"]], "one commit"
        assert await write("light", 1) == 0.0, "what is light alone waits for nobody"
        nursery.start_soon(write, "three", 20)
        await trio.testing.wait_all_tasks_blocked()
        assert await write("light", 1) == 0.0
        with precedence().light():
            assert await write("four", 20) == pytest.approx(database.pause + PATIENCE)
        database.close()
    assert [name for works in database.under_way for name in works][2:] == [
        *("light", "light", "three", "four")
    ]


async def test_what_is_light_goes_ahead_of_what_is_heavy_and_nothing_is_left(
    sqlite: SqliteDatabase,
) -> None:
    """Heavy items of one lot come in lists of few; whoever has waited longest is in every one."""
    calls: list[list[str]] = []
    order: list[str] = []

    async def heavy(number: int) -> None:
        order.append(await sqlite.gather(put, calls, f"heavy{number}", weight=100))

    async def light() -> None:
        await sqlite.write(run_sql, "SELECT 1")
        order.append("light")

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(heavy, number)
        await trio.lowlevel.checkpoint()
        nursery.start_soon(light)
    assert max(len(names) for names in calls) <= 3
    assert sum(len(names) for names in calls) == 20
    assert order.index("light") <= 8, "three lists at most went before"
    assert len(order) == 21

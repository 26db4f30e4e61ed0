"""Guessing codes: how little anybody learns and gains by it, from however many places at once."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.clock import entropy
from booper.domain.access_code import (
    APP_GUESSES,
    HOUSE_GUESSES,
    MOST_SHORT,
    SOURCE_GUESSES,
    WINDOW,
)
from booper.domain.plan import Plan
from booper.seal import KeyRing, new_key
from booper.settings import Http, Settings
from booper.store.postgresql import open_postgresql
from booper.store.sqlite import open_sqlite
from tests.booper import servers
from tests.booper.api.door import HandClock, Phone, door, problem
from tests.booper.api.tenant import Tenant, tenant, tenanted
from tests.booper.api.test_access_codes import issued, listed
from tests.booper.api.test_redemption import phones, submit, wrong
from tests.booper.store.seeds import rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from booper.ports import Database, Row, Sql, Tx

PROXIED = Settings(http=Http(trusted_proxies=["127.0.0.0/8"]))


@pytest.fixture(params=["sqlite", "postgresql"])
async def any_url(request: pytest.FixtureRequest) -> str:
    """Where a PostgreSQL database is; "" for SQLite."""
    if request.param == "sqlite":
        return ""
    return await servers.fresh_database(request.getfixturevalue("postgresql_server"))


@asynccontextmanager
async def opened(folder: Path, url: str) -> AsyncIterator[Database]:
    """That database."""
    if url:
        async with open_postgresql(url, connections=3) as many:
            yield many
    else:
        async with open_sqlite(folder / "a.sqlite3") as one:
            yield one


async def bad_codes(app: Tenant, clock: HandClock) -> dict[str, str]:
    """A code for each way not to be good."""
    used, revoked, expired = [await issued(app) for _ in range(3)]
    (phone,) = await phones(app.house, 1, 1000)
    assert (await submit(phone, used["access_code"])).status_code == 200
    await app.key.ask("DELETE", f"/api/access_codes/{revoked['id']}")
    clock.now += WINDOW
    other = await tenant(app.house, "bea")
    foreign = await issued(other)
    gone = await tenant(app.house, "cat")
    orphan = await issued(gone)
    await gone.owner.ask("DELETE", f"/api/apps/{gone.app}")
    within = await issued(app, within_app=True)
    return {
        "used": used["access_code"],
        "revoked": revoked["access_code"],
        "expired": expired["access_code"],
        "of an app that is no more": orphan["access_code"],
        "never": "no code",
        "foreign": foreign["access_code"],
        "only within its app": within["access_code"],
    }


class Watched:
    """A database that notes which statements the works run."""

    def __init__(self, inner: Database) -> None:
        self.inner = inner
        self.seen: list[str] = []

    async def read(self, work: Any, *args: Any) -> Any:
        return await self.inner.read(self._work, work, *args)

    async def write(self, work: Any, *args: Any, **how: Any) -> Any:
        return await self.inner.write(self._work, work, *args, **how)

    async def _work(self, tx: Tx, work: Any, *args: Any) -> Any:
        return await work(WatchedTx(tx, self.seen), *args)


class WatchedTx:
    def __init__(self, inner: Tx, seen: list[str]) -> None:
        self.inner = inner
        self.seen = seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def fetch(self, sql: Sql, *params: object) -> list[Row]:
        self.seen.append(sql.sqlite)
        return await self.inner.fetch(sql, *params)

    async def execute(self, sql: Sql, *params: object) -> int:
        self.seen.append(sql.sqlite)
        return await self.inner.execute(sql, *params)

    async def execute_many(self, sql: Sql, rows: Sequence[Sequence[object]]) -> None:
        self.seen.append(sql.sqlite)
        await self.inner.execute_many(sql, rows)


async def test_a_code_that_is_not_good_is_one_answer_after_the_same_work(tmp_path: Path) -> None:
    clock = HandClock()
    async with open_sqlite(tmp_path / "watched.sqlite3") as real:
        watched = Watched(real)
        async with tenanted(tmp_path, database=watched, clock=clock, settings=PROXIED) as app:
            codes = await bad_codes(app, clock)
            found = await phones(app.house, len(codes) + 1)
            wrong(await submit(found.pop(), "warm up", at="8.8.8.8"))
            answers, works = [], []
            for place, (phone, code) in enumerate(zip(found, codes.values(), strict=True)):
                watched.seen.clear()
                named = {"app_id": app.app} if code == codes["foreign"] else {}
                answer = await submit(phone, code, at=f"9.9.9.{place}", **named)
                wrong(answer)
                body = {**answer.json(), "request_id": ""}
                answers.append((body, {**answer.headers, "x-request-id": ""}))
                works.append([*watched.seen])
            assert all(one == answers[0] for one in answers)
            assert all(one == works[0] for one in works)
            assert len(works[0]) > 5, "the watch sees nothing"
            good = await submit(phone, codes["foreign"], at="9.9.9.99")
            assert good.status_code == 200
            good = await submit(phone, codes["only within its app"], app_id=app.app)
            assert good.status_code == 200


async def test_fifty_at_once_and_one_comes_in(tmp_path: Path, any_url: str) -> None:
    async with opened(tmp_path, any_url) as database:
        # All at one moment: else one fewer is heard if the first that is counted came last.
        more: dict[str, Any] = {"settings": PROXIED, "clock": HandClock()}
        async with tenanted(tmp_path, database=database, **more) as app:
            code = (await issued(app))["access_code"]
            everybody = await phones(app.house, 50)
            found: list[int] = []

            async def one(place: int) -> None:
                answer = await submit(everybody[place], code, at=f"9.9.{place}.9")
                found.append(answer.status_code)

            async with trio.open_nursery() as nursery:
                for place in range(50):
                    nursery.start_soon(one, place)
            assert sorted(found)[:2] == [200, 404]
            assert set(found) == {200, 404, 429}
            assert found.count(404) == HOUSE_GUESSES // 2
            assert await rows(database, "SELECT count(*) FROM members") == [(1,)]
            assert await rows(database, "SELECT count(*) FROM grants") == [(1,)]
            assert [one["state"] for one in await listed(app)] == ["used"]


async def test_thirty_asked_for_at_once_and_twenty_are_short(tmp_path: Path, any_url: str) -> None:
    async with opened(tmp_path, any_url) as database:
        settings = Settings(plans={"free": Plan(per_second=0)})
        async with tenanted(tmp_path, database=database, settings=settings) as app:
            made: list[str] = []

            async def one() -> None:
                made.append((await issued(app))["access_code"])

            await issued(app)
            async with trio.open_nursery() as nursery:
                for _ in range(29):
                    nursery.start_soon(one)
            assert sorted(map(len, made)) == [6] * (MOST_SHORT - 1) + [8] * 10
            assert len(set(made)) == 29


async def test_a_guesser_is_heard_ten_times_in_five_minutes(tmp_path: Path) -> None:
    clock = HandClock()
    async with tenanted(tmp_path, clock=clock, settings=PROXIED) as app:
        code = (await issued(app, "news"))["access_code"]
        one, two = await phones(app.house, 2)
        heard = 0
        for second in range(0, 300, 3):
            clock.now = HandClock.now + second
            # Another address each time helps as little as another device does.
            which = {"at": f"2001:db8:0:{second:x}::1"} if second % 2 else {"at": "2001:db8::1:1"}
            phone = one if second % 2 else two
            answer = await submit(phone, f"{second:06}", **which, app_id=app.app)
            heard += answer.status_code == 404
            if answer.status_code == 429:
                problem(answer, 429, "too_many_guesses")
                assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert heard == 2 * (SOURCE_GUESSES - 1)
        clock.now = HandClock.now + 299
        # Whoever has used up its own budget is not let in with the right code either.
        problem(await submit(one, code, at="8.8.8.8"), 429, "too_many_guesses")
        assert [one["state"] for one in await listed(app)] == ["live"]
        three = await app.house.registered("ee" * 32)
        assert (await submit(three, code, at="8.8.8.8")).status_code == 200


@pytest.mark.parametrize("named", [True, False])
async def test_an_app_s_budget_holds_from_a_hundred_addresses(tmp_path: Path, named: bool) -> None:
    clock = HandClock()
    async with tenanted(tmp_path, clock=clock, settings=PROXIED) as app:
        other = await tenant(app.house, "bea")
        code = (await issued(app))["access_code"]
        body = {"app_id": app.app} if named else {}
        everybody = await phones(app.house, 100)
        answers = []
        for place, phone in enumerate(everybody):
            clock.now += 0.5
            answer = await submit(phone, f"{place:06}", at=f"9.9.{place}.9", **body)
            answers.append(answer.status_code)
        assert answers[:25] == [404] * 25, "whoever mistypes is still heard"
        assert answers.count(404) <= APP_GUESSES
        assert answers.count(404) + answers.count(429) == 100
        # Nobody else's codes are touched by that, and the app's next code is longer and works.
        theirs = (await issued(other))["access_code"]
        fresh = await app.house.registered("ee" * 32)
        named_theirs = await submit(fresh, theirs, at="7.7.7.7", app_id=other.app)
        problem(await submit(fresh, code, at="7.7.7.7", **body), 429, "too_many_guesses")
        long = (await issued(app))["access_code"]
        assert len(long) == 8
        assert (await submit(fresh, long, at="7.7.7.7", **body)).status_code == 200
        assert named_theirs.status_code == 200
        # After a while all is as before.
        clock.now += WINDOW
        assert len((await issued(app))["access_code"]) == 6


async def test_a_right_code_gives_nobody_a_new_budget(tmp_path: Path) -> None:
    async with tenanted(tmp_path, clock=HandClock()) as app:
        (phone,) = await phones(app.house, 1)
        for place in range(SOURCE_GUESSES // 2):
            wrong(await submit(phone, f"no {place}"))
            code = (await issued(app))["access_code"]
            if place < SOURCE_GUESSES // 2 - 1:
                assert (await submit(phone, code)).status_code == 200
        problem(await submit(phone, code), 429, "too_many_guesses")


async def test_a_restart_or_another_node_is_no_new_budget(tmp_path: Path, any_url: str) -> None:
    more: dict[str, Any] = {"clock": HandClock(), "seal": KeyRing({"k": new_key(entropy)}, entropy)}
    found = []
    for life in range(3):
        async with (
            opened(tmp_path, any_url) as database,
            door(tmp_path, database=database, **more) as house,
        ):
            if life == 0:
                phone = await house.registered()
            again = Phone(house, phone.id, phone.secret)
            found += [(await submit(again, f"{n:06}")).status_code for n in range(2)]
    assert found == [404] * (SOURCE_GUESSES // 2) + [429]

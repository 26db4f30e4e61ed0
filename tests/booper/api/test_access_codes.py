"""Access codes as an app's server sees them: made, listed, revoked, and over in time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from booper.domain.access_code import MOST_SHORT
from booper.domain.plan import Plan
from booper.settings import AccessCodes, Settings
from booper.store import access_codes, guesses
from tests.booper.api.door import HandClock, problem
from tests.booper.api.tenant import Tenant, tenant, tenanted
from tests.booper.api.test_apps import Person
from tests.booper.store.seeds import rows, run_sql

if TYPE_CHECKING:
    from pathlib import Path

SIX, EIGHT = r"\d{6}", r"[0-9A-HJKMNP-TV-Z]{8}"
FAST = Settings(plans={"free": Plan(per_second=0)}, access_codes=AccessCodes(longest=3600))


async def issued(app: Tenant, *names: str, **more: Any) -> dict[str, Any]:
    """A new code for these channels of the app, which are made."""
    for name in names or ("news",):
        await app.channel(name)
    body = {"channels": list(names) or ["news"], **more}
    answer = await app.key.ask("POST", "/api/access_codes", body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(app: Tenant) -> list[dict[str, Any]]:
    answer = await app.key.ask("GET", "/api/access_codes")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def told(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


async def test_a_code_is_shown_once_and_listed_without_it(tmp_path: Path) -> None:
    clock = HandClock()
    async with tenanted(tmp_path, clock=clock) as app:
        made = await issued(app, "news", identifier="ann@a.example")
        assert set(made) == {"id", "access_code", "expires_at"}
        assert re.fullmatch(SIX, made["access_code"])
        assert made["expires_at"] == told(clock.now + 300)
        (shown,) = await listed(app)
        assert shown == {
            "id": made["id"],
            "state": "live",
            "identifier": "ann@a.example",
            "created_at": told(clock.now),
            "expires_at": told(clock.now + 300),
            "ended_at": None,
            "device_id": None,
        }
        kept = await rows(app.house.database, "SELECT * FROM access_codes")
        assert made["access_code"] not in repr(kept)
        owners = await app.owner.ask("GET", f"/api/access_codes?app_id={app.app.upper()}")
        assert owners.json()["data"] == [shown]


async def test_a_code_is_for_channels_that_the_app_has(tmp_path: Path) -> None:
    async with tenanted(tmp_path) as app:
        other = await tenant(app.house, "bea")
        await app.channel("news")
        await other.channel("theirs")
        for wrong in ("theirs", f"{other.app}/theirs", "none", f"{other.app}-theirs", "é" * 64):
            body = {"channels": ["NEWS", wrong]}
            answer = await app.key.ask("POST", "/api/access_codes", body)
            problem(answer, 404, "unknown_channel", "/channels/1")
        for names in ([], ["x"] * 21, "news", [1], None):
            answer = await app.key.ask("POST", "/api/access_codes", {"channels": names})
            assert answer.status_code == 422
        assert await listed(app) == []


async def test_whose_code_it_is_and_who_may_make_one(tmp_path: Path) -> None:
    async with tenanted(tmp_path) as app:
        other = await tenant(app.house, "bea")
        await app.channel("news")
        body = {"channels": ["news"]}
        problem(await app.owner.ask("POST", "/api/access_codes", body), 422, "missing_app_id")
        problem(await app.owner.ask("GET", "/api/access_codes"), 422, "missing_app_id")
        mine = {**body, "app_id": app.app}
        assert (await app.owner.ask("POST", "/api/access_codes", mine)).status_code == 201
        for who in (other.key, other.owner):
            problem(await who.ask("POST", "/api/access_codes", mine), 404, "not_found")
            answer = await who.ask("GET", f"/api/access_codes?app_id={app.app}")
            problem(answer, 404, "not_found")
        key = await app.owner.key(app.app, scopes=["read"])
        reader = Person(app.house, key["key"])
        problem(await reader.ask("POST", "/api/access_codes", body), 403, "missing_scope")
        assert len((await reader.ask("GET", "/api/access_codes")).json()["data"]) == 1
        device = await app.house.registered()
        problem(await device.ask("POST", "/api/access_codes", mine), 403, "wrong_caller")
        problem(await app.house.post("/api/access_codes", mine), 401, "unauthenticated")


ENDS: list[tuple[dict[str, Any], float | str]] = [
    ({"expires_in": 60}, 60.0),
    ({"expires_in": 0.5}, 0.5),
    ({"expires_at": told(HandClock.now + 299)}, 299.0),
    ({"expires_at": told(HandClock.now + 300)}, 300.0),
    ({"expires_at": told(HandClock.now + 301)}, "/expires_at"),
    ({"expires_at": told(HandClock.now)}, "/expires_at"),
    ({"expires_at": "1970-01-01T00:00:00Z"}, "/expires_at"),
    ({"expires_at": "2027-01-15T08:00:00"}, "/expires_at"),
    ({"expires_at": "soon"}, "/expires_at"),
    ({"expires_in": 301}, "/expires_in"),
    ({"expires_in": 0}, "/expires_in"),
    ({"expires_in": -5}, "/expires_in"),
    ({"expires_in": 1e308}, "/expires_in"),
    ({"expires_in": "60"}, "/expires_in"),
    ({"expires_in": 5, "expires_at": told(HandClock.now + 5)}, ""),
]


async def test_a_code_ends_within_five_minutes(tmp_path: Path) -> None:
    async with tenanted(tmp_path, clock=HandClock()) as app:
        await app.channel("news")
        for when, found in ENDS:
            body = {"channels": ["news"], **when}
            answer = await app.key.ask("POST", "/api/access_codes", body)
            if isinstance(found, float):
                assert answer.json()["expires_at"] == told(HandClock.now + found)
                continue
            assert answer.status_code == 422, when
            assert [one["pointer"] for one in answer.json().get("errors", [])] in ([found], [])
        assert len(await listed(app)) == 4


async def test_the_settings_may_allow_more_and_such_a_code_is_longer(tmp_path: Path) -> None:
    async with tenanted(tmp_path, settings=FAST) as app:
        assert re.fullmatch(SIX, (await issued(app))["access_code"])
        assert re.fullmatch(SIX, (await issued(app, expires_in=300))["access_code"])
        assert re.fullmatch(EIGHT, (await issued(app, expires_in=301))["access_code"])


async def test_beyond_twenty_codes_that_are_good_now_they_are_longer(tmp_path: Path) -> None:
    clock = HandClock()
    async with tenanted(tmp_path, clock=clock, settings=FAST) as app:
        other = await tenant(app.house, "bea")
        made = [await issued(app) for _ in range(MOST_SHORT + 2)]
        assert [len(one["access_code"]) for one in made] == [6] * MOST_SHORT + [8] * 2
        assert len({one["access_code"] for one in made}) == len(made)
        # One guess without an app reaches all of these, so others' are longer too, unless theirs
        # are only found within their app.
        assert len((await issued(other))["access_code"]) == 8
        within = [await issued(other, within_app=True) for _ in range(MOST_SHORT + 1)]
        assert [len(one["access_code"]) for one in within] == [6] * MOST_SHORT + [8]
        await app.key.ask("DELETE", f"/api/access_codes/{made[0]['id']}")
        assert len((await issued(app))["access_code"]) == 6
        clock.now += 300
        assert len((await issued(app))["access_code"]) == 6


async def test_an_app_has_a_thousand_codes_at_most_and_ten_a_second(tmp_path: Path) -> None:
    clock = HandClock()
    async with tenanted(tmp_path, clock=clock) as app:
        for _ in range(10):
            await issued(app)
        answer = await app.key.ask("POST", "/api/access_codes", {"channels": ["news"]})
        problem(answer, 429, "too_many_requests")
        assert answer.headers["retry-after"] == "1"
        await app.house.database.write(
            run_sql,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 990)"
            " INSERT INTO access_codes"
            " (id, app, digest, short, channels, identifier, created_at, expires_at)"
            f" SELECT 'x' || i, (SELECT number FROM apps), 'd' || i, 0, '[]', '', 0, {clock.now}+9"
            " FROM n",
        )
        clock.now += 1
        answer = await app.key.ask("POST", "/api/access_codes", {"channels": ["news"]})
        problem(answer, 409, "too_many_codes")
        clock.now += 9
        await issued(app)


async def test_a_revoked_code_is_gone(tmp_path: Path) -> None:
    async with tenanted(tmp_path, clock=HandClock()) as app:
        other = await tenant(app.house, "bea")
        for owner, stranger in ((app.key, other.key), (app.owner, other.owner)):
            made = await issued(app)
            path = f"/api/access_codes/{made['id']}"
            problem(await stranger.ask("DELETE", path), 404, "not_found")
            assert (await owner.ask("DELETE", path)).status_code == 204
            problem(await owner.ask("DELETE", path), 404, "not_found")
            shown = (await listed(app))[-1]
            assert (shown["id"], shown["state"]) == (made["id"], "revoked")
        problem(await app.key.ask("DELETE", "/api/access_codes/123456"), 404, "not_found")


async def test_a_code_that_is_over_stays_in_the_list_for_a_day(tmp_path: Path) -> None:
    clock = HandClock()
    async with tenanted(tmp_path, clock=clock) as app:
        first = await issued(app)
        await app.house.database.write(guesses.pay, {"old": clock.now + 1, "new": clock.now + 999})
        clock.now += 300
        database = app.house.database
        assert [one["state"] for one in await listed(app)] == ["expired"]
        assert await database.write(access_codes.sweep, clock.now, 500) == 1
        assert await database.write(guesses.sweep, clock.now, 500) == 1
        (shown,) = await listed(app)
        assert (shown["state"], shown["ended_at"]) == ("expired", first["expires_at"])
        await issued(app)
        clock.now += access_codes.KEPT + 1
        assert await database.write(access_codes.sweep, clock.now, 500) == 2, "one ends, one goes"
        assert [one["state"] for one in await listed(app)] == ["expired"]
        assert await rows(database, "SELECT key FROM access_guesses") == [("new",)]


async def test_junk_is_refused(tmp_path: Path) -> None:
    async with tenanted(tmp_path) as app:
        await app.channel("news")
        good = {"channels": ["news"]}
        wrong: list[Any] = [
            {**good, "identifier": "x" * 257},
            {**good, "identifier": ""},
            {**good, "within_app": 1},
            {**good, "app_id": 5},
            {**good, "access_code": "123456"},
            {**good, "expires_in": True},
            [],
        ]
        for junk in wrong:
            answer = await app.key.ask("POST", "/api/access_codes", junk)
            assert answer.status_code == 422, junk
        assert await listed(app) == []

"""Apps, their keys, their pages and their tags, as their owner sees them at the door."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.api.known import TTL
from booper.ports import Sql
from booper.settings import Accounts, Settings
from tests.booper.api.door import Door, HandClock, door, problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

ID = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"


class Person:
    """Somebody who is logged in."""

    def __init__(self, house: Door, access: str) -> None:
        self.house = house
        self.headers = {"Authorization": f"Bearer {access}"}

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        head = {**self.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return await self.house.client.request(method, path, json=body, headers=head)

    async def app(self, name: str = "App") -> str:
        answer = await self.ask("POST", "/api/apps", {"name": name})
        assert answer.status_code == 201, answer.text
        own: str = answer.json()["id"]
        return own

    async def key(self, app: str, **body: Any) -> dict[str, Any]:
        answer = await self.ask("POST", f"/api/apps/{app}/keys", body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


async def person(house: Door, name: str = "ann") -> Person:
    body = {"email": f"{name}@a.example", "password": "correct horse battery"}
    answer = await house.post("/api/accounts", body)
    assert answer.status_code == 201, answer.text
    return Person(house, answer.json()["access_token"])


@asynccontextmanager
async def at_home(folder: Path, **more: Any) -> AsyncIterator[Person]:
    async with door(folder, **more) as house:
        yield await person(house)


async def test_an_app_from_first_to_last(tmp_path: Path) -> None:
    async with at_home(tmp_path) as ann:
        made = await ann.ask("POST", "/api/apps", {"name": "Shop"})
        app = made.json()
        assert app == app | {"name": "Shop", "plan": "free"}
        path = made.headers["location"]
        assert path == f"/api/apps/{app['id']}"
        got = await ann.ask("GET", path)
        assert (got.json(), got.headers["etag"]) == (app, made.headers["etag"])
        changed = await ann.ask("PATCH", path, {"name": "Store"}, if_match=got.headers["etag"])
        assert changed.json()["name"] == "Store"
        assert changed.headers["etag"] != got.headers["etag"]
        stale = await ann.ask("PATCH", path, {"name": "Old"}, if_match=got.headers["etag"])
        problem(stale, 412, "stale")
        problem(await ann.ask("DELETE", path, if_match='"0"'), 412, "stale")
        same = await ann.ask("PATCH", path, {}, if_match="*")
        assert same.json()["name"] == "Store"
        assert (await ann.ask("DELETE", path)).status_code == 204
        for method in ("GET", "DELETE"):
            problem(await ann.ask(method, path), 404, "not_found")
        assert (await ann.ask("GET", "/api/apps")).json() == {"data": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": None}, "/name"),
        ({"name": "x", "plan": "business"}, "/plan"),
    ],
)
async def test_an_app_that_cannot_be(tmp_path: Path, body: dict[str, object], pointer: str) -> None:
    async with at_home(tmp_path) as ann:
        problem(await ann.ask("POST", "/api/apps", body), 422, "invalid", pointer)
        path = f"/api/apps/{await ann.app()}"
        if body:
            problem(await ann.ask("PATCH", path, body), 422, "invalid", pointer)


async def test_an_account_has_so_many_apps_and_no_more(tmp_path: Path) -> None:
    few = Settings(accounts=Accounts(max_apps=2))
    async with at_home(tmp_path, settings=few) as ann:
        answers = []

        async def one() -> None:
            answers.append((await ann.ask("POST", "/api/apps", {"name": "x"})).status_code)

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(one)
        assert sorted(answers) == [201, 201, 409, 409, 409, 409]


async def test_a_key_s_life(tmp_path: Path) -> None:
    clock = HandClock()
    async with at_home(tmp_path, clock=clock) as ann:
        app = await ann.app()
        path = f"/api/apps/{app}/keys"
        first = await ann.key(app, label="server", scopes=["read"])
        assert first["key"].startswith(first["prefix"] + "_")
        assert first["prefix"].startswith("bpk_")
        server = Person(ann.house, first["key"])
        assert (await server.ask("GET", f"/api/apps/{app}")).json()["id"] == app
        assert [one["id"] for one in (await server.ask("GET", "/api/apps")).json()["data"]] == [app]
        second = await ann.key(app)
        assert set(second["scopes"]) > {"read", "notify"}
        problem(await ann.ask("POST", path, {}), 409, "too_many_keys")
        listed = await ann.ask("GET", path)
        assert first["key"] not in listed.text
        shown = listed.json()["data"]
        assert [(one["prefix"], one["label"], one["revoked_at"]) for one in shown] == [
            (first["prefix"], "server", None),
            (second["prefix"], "", None),
        ]
        assert (await ann.ask("DELETE", f"{path}/{first['id']}")).status_code == 204
        problem(await server.ask("GET", f"/api/apps/{app}"), 401, "invalid_credential")
        problem(await ann.ask("DELETE", f"{path}/{first['id']}"), 404, "not_found")
        third = await ann.key(app)
        assert (await ann.ask("DELETE", f"/api/apps/{app}")).status_code == 204
        for key in (second, third):
            answer = await Person(ann.house, key["key"]).ask("GET", "/api/apps")
            problem(answer, 401, "invalid_credential")


async def test_another_node_s_revocation_counts_within_a_second(tmp_path: Path) -> None:
    clock = HandClock()
    async with at_home(tmp_path, clock=clock) as ann:
        app = await ann.app()
        key = await ann.key(app)
        server = Person(ann.house, key["key"])
        assert (await server.ask("GET", "/api/apps")).status_code == 200

        async def elsewhere(tx: Any) -> None:
            await tx.execute(Sql("UPDATE api_keys SET revoked_at = 1.0"))

        await ann.house.database.write(elsewhere)
        clock.now += TTL
        problem(await server.ask("GET", "/api/apps"), 401, "invalid_credential")


async def test_a_key_makes_no_keys_and_sees_no_other_app(tmp_path: Path) -> None:
    async with at_home(tmp_path) as ann:
        app, other = await ann.app(), await ann.app()
        server = Person(ann.house, (await ann.key(app))["key"])
        problem(await server.ask("GET", f"/api/apps/{other}"), 404, "not_found")
        for method, path, body in (
            ("POST", f"/api/apps/{app}/keys", {}),
            ("GET", f"/api/apps/{app}/keys", None),
            ("PATCH", f"/api/apps/{app}", {"name": "x"}),
            ("DELETE", f"/api/apps/{app}", None),
            ("POST", "/api/apps", {"name": "x"}),
            ("GET", "/api/accounts/me", None),
        ):
            problem(await server.ask(method, path, body), 403, "wrong_caller")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["root"]}, "/scopes/0"),
        ({"scopes": ["read"] * 6}, "/scopes"),
        ({"label": "x" * 101}, "/label"),
        ({"key": "bpk_mine"}, "/key"),
    ],
)
async def test_a_key_that_cannot_be(tmp_path: Path, body: dict[str, object], pointer: str) -> None:
    async with at_home(tmp_path) as ann:
        answer = await ann.ask("POST", f"/api/apps/{await ann.app()}/keys", body)
        problem(answer, 422, "invalid")


async def test_a_list_comes_in_pages_whole_and_in_order(tmp_path: Path) -> None:
    async with at_home(tmp_path) as ann:
        made = [await ann.app(f"app {number}") for number in range(7)]
        seen: list[str] = []
        path = "/api/apps?limit=3"
        sizes = []
        while path:
            answer = await ann.ask("GET", path)
            page = answer.json()
            sizes.append(len(page["data"]))
            seen += [one["id"] for one in page["data"]]
            path = answer.links["next"]["url"] if "next" in answer.links else ""
            assert bool(path) == (page["next_cursor"] is not None)
        assert (seen, sizes) == (made, [3, 3, 1])


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=-1", "/limit"),
        ("limit=101", "/limit"),
        ("limit=1000000000", "/limit"),
        ("limit=", "/limit"),
        ("limit=5&limit=6", "/limit"),
        ("offset=5", "/offset"),
        ("cursor=%00", "/cursor"),
        ("cursor=" + "x" * 600, "/cursor"),
    ],
)
async def test_a_page_that_cannot_be(tmp_path: Path, query: str, pointer: str) -> None:
    async with at_home(tmp_path) as ann:
        answer = await ann.ask("GET", f"/api/apps?{query}")
        problem(answer, 400, "invalid_query", pointer)
        problem(await ann.ask("GET", "/api/apps?cursor=%ff"), 400, "invalid_query")


async def test_a_cursor_is_good_for_its_list_and_its_caller(tmp_path: Path) -> None:
    async with at_home(tmp_path) as ann:
        bea = await person(ann.house, "bea")
        for who in (ann, ann, bea):
            app = await who.app()
        answer = await ann.ask("GET", "/api/apps?limit=1")
        cursor = answer.json()["next_cursor"]
        assert (await ann.ask("GET", f"/api/apps?cursor={cursor}")).status_code == 200
        for other in (
            cursor[:-2] + ("BB" if cursor.endswith("AA") else "AA"),
            ("B" if cursor[0] == "A" else "A") + cursor[1:],
            cursor + "A",
            cursor[:10],
            "é",
            "=====",
        ):
            problem(await ann.ask("GET", f"/api/apps?cursor={other}"), 422, "invalid_cursor")
        problem(await bea.ask("GET", f"/api/apps?cursor={cursor}"), 422, "invalid_cursor")
        answer = await bea.ask("GET", f"/api/apps/{app}/keys?cursor={cursor}")
        problem(answer, 422, "invalid_cursor")


async def test_where_one_is_logged_in(tmp_path: Path) -> None:
    async with at_home(tmp_path) as ann:
        body = {"email": "ann@a.example", "password": "correct horse battery"}
        await ann.house.post("/api/sessions", body, headers={"User-Agent": "phone"})
        shown = (await ann.ask("GET", "/api/sessions")).json()["data"]
        assert [one["current"] for one in shown] == [True, False]
        assert shown[1]["client"] == "phone"

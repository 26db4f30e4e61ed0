"""Channels: who makes them, who sees them, who changes them, and what is left when they go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from booper.settings import Accounts, Public, Settings
from booper.store import channels, fanouts
from tests.booper.api.door import TOKEN, Door, HandClock, door, problem
from tests.booper.api.tenant import Tenant, tenant, tenanted
from tests.booper.api.test_apps import Person
from tests.booper.store.seeds import NOW, ROUTES, rows

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

ID = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
MANY = Settings(public=Public(changes_per_address=1000, per_address=1000, per_channel=1000))


async def held(house: Door, name: str = "ops", **more: Any) -> tuple[dict[str, Any], Person]:
    """A public channel as it was made, and whoever holds its secret."""
    answer = await house.post("/api/channels", {"name": name, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made, Person(house, made["secret"])


async def of_app(app: Tenant, name: str = "news") -> str:
    """A channel of the app; its id."""
    answer = await app.key.ask("POST", "/api/channels", {"name": name})
    assert answer.status_code == 201, answer.text
    own: str = answer.json()["id"]
    return own


async def let_in(house: Door, device: str, channel: str) -> None:
    """The device was let into the channel, as an accepted access code does."""
    sql = (
        "INSERT INTO grants (device, channel, granted_at) SELECT d.number, c.number, 1.0"
        " FROM devices d, channels c WHERE d.id = ? AND c.id = ?"
    )
    await house.database.write(_run, sql, device, channel)


async def _run(tx: Any, sql: str, *params: object) -> None:
    from booper.ports import Sql

    await tx.execute(Sql(sql), *params)


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["data"]]


async def test_a_public_channel_is_its_maker_s(tmp_path: Path) -> None:
    async with door(tmp_path, settings=MANY) as house:
        made, holder = await held(house, "Ops", title="Ops!")
        assert made == made | {"name": "ops", "title": "Ops!", "app_id": None, "key": None}
        assert made["secret"].startswith("bcs_")
        stored = await rows(house.database, "SELECT * FROM channels")
        assert made["secret"].split("_")[2] not in repr(stored)
        problem(await house.post("/api/channels", {"name": "OPS"}), 409, "channel_exists", "/name")
        for ref in ("ops", "OPS", made["id"], made["id"].upper()):
            got = await house.client.get(f"/api/channels/{ref}")
            assert got.json()["id"] == made["id"]
        path, tag = f"/api/channels/{made['id']}", got.headers["etag"]
        _, other = await held(house, "other")
        for stranger in (other,):
            answer = await stranger.ask("PATCH", path, {"title": "x"})
            problem(answer, 403, "not_your_channel")
            problem(await stranger.ask("DELETE", path), 403, "not_your_channel")
        problem(await house.client.delete(path), 401, "unauthenticated")
        wrong = Person(house, made["secret"][:-1] + ("b" if made["secret"][-1] == "a" else "a"))
        problem(await wrong.ask("GET", path), 401, "invalid_credential")
        leaked = await house.client.get(f"{path}?x={made['secret']}")
        problem(leaked, 401, "credential_in_query")
        changed = await holder.ask("PATCH", "/api/channels/ops", {"title": "New"}, If_Match=tag)
        assert changed.json()["title"] == "New"
        problem(await holder.ask("DELETE", path, If_Match=tag), 412, "stale")
        assert (await holder.ask("DELETE", path)).status_code == 204
        problem(await holder.ask("GET", path), 401, "invalid_credential")
        problem(await house.client.get("/api/channels/ops"), 404, "unknown_channel")
        again, _ = await held(house)
        assert again["id"] != made["id"], "the name is free"


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({}, 422, "invalid", "/name"),
        ({"name": ""}, 422, "invalid_channel_name", "/name"),
        ({"name": "a/b"}, 422, "invalid_channel_name", "/name"),
        ({"name": "-a"}, 422, "invalid_channel_name", "/name"),
        ({"name": "a\n"}, 422, "invalid_channel_name", "/name"),
        ({"name": "x" * 65}, 422, "invalid", "/name"),
        ({"name": ID}, 422, "invalid_channel_name", "/name"),
        ({"name": ID.upper()}, 422, "invalid_channel_name", "/name"),
        ({"name": "a", "title": "x" * 101}, 422, "invalid", "/title"),
        ({"name": "a", "app_id": ID}, 404, "not_found", None),
        ({"name": "a", "secret": "mine"}, 422, "invalid", "/secret"),
    ],
)
async def test_a_channel_that_cannot_be(
    tmp_path: Path, body: dict[str, Any], status: int, code: str, pointer: str | None
) -> None:
    async with door(tmp_path) as house:
        problem(await house.post("/api/channels", body), status, code, pointer)
        assert await rows(house.database, "SELECT * FROM channels") == []


async def test_an_app_s_channels_are_its_own(tmp_path: Path) -> None:
    async with tenanted(tmp_path, settings=MANY) as app:
        house, bea = app.house, await tenant(app.house, "bea")
        body = {"name": "news", "title": "News", "app_id": app.app}
        made = (await app.owner.ask("POST", "/api/channels", body)).json()
        assert made == made | {"app_id": app.app, "secret": None, "key": None}
        problem(await app.owner.ask("POST", "/api/channels", body), 409, "channel_exists")
        problem(await bea.owner.ask("POST", "/api/channels", body), 404, "not_found")
        assert await of_app(bea) != made["id"], "the same name in another app"
        public, _ = await held(house, "news")
        path, named = f"/api/channels/{made['id']}", f"/api/channels/news?app_id={app.app.upper()}"
        for who, seen in ((app.owner, made), (app.key, made)):
            for where in (path, named):
                assert (await who.ask("GET", where)).json()["id"] == seen["id"]
        assert (await app.key.ask("GET", "/api/channels/news")).json()["id"] == made["id"]
        assert (await app.owner.ask("GET", "/api/channels/news")).json()["id"] == public["id"]
        problem(await app.key.ask("GET", f"/api/channels/{public['id']}"), 404, "unknown_channel")
        for stranger in (bea.owner, bea.key):
            for where in (path, named):
                for method in ("GET", "DELETE"):
                    problem(await stranger.ask(method, where), 404, "unknown_channel")
        problem(await house.client.get(path), 404, "unknown_channel")
        problem(await house.client.get(named), 404, "unknown_channel")
        problem(
            await app.owner.ask("PATCH", f"/api/channels/{public['id']}", {"title": "x"}),
            403,
            "not_your_channel",
        )
        assert (await app.key.ask("PATCH", path, {"title": "N"})).json()["title"] == "N"
        with_key = {"name": "x", "publish_key": True}
        answer = await app.key.ask("POST", "/api/channels", with_key)
        problem(answer, 422, "publish_key_is_public", "/publish_key")
        reader = Person(house, (await app.owner.key(app.app, scopes=["read"]))["key"])
        problem(await reader.ask("POST", "/api/channels", {"name": "x"}), 403, "missing_scope")
        problem(await reader.ask("DELETE", path), 403, "missing_scope")
        assert (await app.owner.ask("DELETE", path)).status_code == 204
        problem(await app.key.ask("GET", path), 404, "unknown_channel")
        assert await of_app(app) != made["id"], "the name is free"


async def test_an_app_lists_its_channels_in_pages_and_has_so_many(tmp_path: Path) -> None:
    few = Settings(accounts=Accounts(max_channels=5), public=MANY.public)
    async with tenanted(tmp_path, settings=few) as app:
        bea = await tenant(app.house, "bea")
        for number in range(5):
            await of_app(app, f"c{number}")
        answer = await app.key.ask("POST", "/api/channels", {"name": "c5"})
        problem(answer, 409, "too_many_channels")
        found, path = [], "/api/channels?limit=2"
        while path:
            answer = await app.key.ask("GET", path)
            found += names(answer)
            path = answer.links["next"]["url"] if "next" in answer.links else ""
        assert found == [f"c{number}" for number in range(5)]
        listed = await app.owner.ask("GET", f"/api/channels?app_id={app.app}")
        assert names(listed) == found
        problem(await app.owner.ask("GET", "/api/channels"), 422, "missing_app_id", "/app_id")
        for stranger in (bea.owner, bea.key):
            for theirs in (app.app, ID, "junk"):
                assert names(await stranger.ask("GET", f"/api/channels?app_id={theirs}")) == []


async def test_a_device_lists_what_it_may_see(tmp_path: Path) -> None:
    async with tenanted(tmp_path, settings=MANY) as app:
        house = app.house
        phone = await house.registered()
        await app.key.ask("POST", "/api/devices", {"provider": "apns", "device_token": TOKEN})
        await of_app(app, "closed")
        granted, listened = await of_app(app, "granted"), await of_app(app, "listened")
        await let_in(house, phone.id, granted)
        for channel, who in (("public", phone), (listened, app.key)):
            body = {"channel": channel, "device_id": phone.id}
            assert (await who.ask("POST", "/api/subscriptions", body)).status_code == 201
        by_token = f"/api/channels?device_token={TOKEN}"
        problem(await house.client.get("/api/channels"), 400, "missing_device_token")
        problem(
            await house.client.get(f"/api/channels?app_id={app.app}"), 400, "missing_device_token"
        )
        # An address shows what is public and what a code let it into; the secret the rest.
        cases = [
            (house.client.get, "", ["granted", "public"]),
            (house.client.get, "&provider=apns", ["granted", "public"]),
            (house.client.get, "&provider=fcm", []),
            (house.client.get, f"&app_id={app.app}", ["granted"]),
            (house.client.get, f"&app_id={ID}", []),
        ]
        for get, more, wanted in cases:
            assert sorted(names(await get(by_token + more))) == wanted
        assert names(await house.client.get(f"/api/channels?device_token={'cd' * 32}")) == []
        own = await phone.ask("GET", "/api/channels")
        shown = {one["name"]: one for one in own.json()["data"]}
        assert set(shown) == {"granted", "listened", "public"}
        assert shown["granted"]["subscription_id"] is None
        assert (shown["public"]["muted"], shown["granted"]["muted"]) == (False, None)
        assert set(names(await phone.ask("GET", f"/api/channels?app_id={app.app}"))) == {
            "granted",
            "listened",
        }
        assert set(names(await app.key.ask("GET", by_token))) == {"granted", "listened"}
        bea = await tenant(house, "bea")
        assert names(await bea.key.ask("GET", by_token)) == []
        assert names(await bea.owner.ask("GET", f"{by_token}&app_id={app.app}")) == ["granted"]
        # One by one it is the same.
        for ref, by_address, proved in (
            (granted, 200, 200),
            (listened, 404, 200),
            ("public", 200, 200),
            (f"closed?app_id={app.app}&", 404, 404),
            (f"granted?app_id={app.app}&", 200, 200),
        ):
            path = f"/api/channels/{ref}"
            query = f"{'' if '?' in ref else '?'}device_token={TOKEN}"
            assert (await house.client.get(path + query)).status_code == by_address
            assert (await phone.ask("GET", path.rstrip("&"))).status_code == proved
        # The app is no more, and its channels with it.
        assert (await app.owner.ask("DELETE", f"/api/apps/{app.app}")).status_code == 204
        assert names(await phone.ask("GET", "/api/channels")) == ["public"]
        problem(await phone.ask("GET", f"/api/channels/{granted}"), 404, "unknown_channel")


async def test_what_was_said_outlives_its_channel_and_what_waits_goes_nowhere(
    tmp_path: Path,
) -> None:
    async with tenanted(tmp_path, clock=HandClock()) as app:
        house, own = app.house, await of_app(app)
        device = await app.member(1)
        await app.key.ask("POST", "/api/subscriptions", {"channel": own, "device_id": device})
        urls = [(await app.notify(channel="news")).json()["url"] for _ in range(2)]
        later = {"channels": ["news"], "scheduled_at": "2027-01-15T09:00:00Z"}
        urls.append((await app.notify(**later)).json()["url"])
        assert await house.database.write(fanouts.expand, ROUTES, 0, NOW, 5) is not None
        assert (await app.key.ask("DELETE", "/api/channels/news")).status_code == 204
        await house.database.write(fanouts.queue_due, NOW + 9999)
        for _ in range(2):
            while await house.database.write(fanouts.expand, ROUTES, 0, NOW, 5) is not None:
                pass
            shown = [(await app.key.ask("GET", url)).json() for url in urls]
            assert [one["channel"] for one in shown] == [None] * 3
            assert [one["devices"] for one in shown] == [1, 0, 0]
            assert [one["state"] for one in shown] == ["sending", "done", "done"]
            steps = 0
            while await house.database.write(channels.sweep, 1):
                steps += 1
        assert steps == 0, "swept in the first round"
        assert await rows(house.database, "SELECT * FROM channels") == []
        assert await rows(house.database, "SELECT * FROM subscriptions") == []
        listed = await app.key.ask("GET", "/api/notifications")
        assert len(listed.json()["data"]) == 3
